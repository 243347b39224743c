// A reader's label: what stands on the box and under the case. Its QR code holds one line of JSON with the serial
// number and the SHA-256 of the reader's certificate, so that whoever registers a reader can tell that it is the one
// that was made. As SVG and PNG for people, as ZPL for a label printer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keys/outcome.hpp"
#include "nightdrop/result.hpp"

namespace nightdrop::keys {

struct LabelText {
  std::string serial_number;
  std::string merchant;
  std::string certificate_sha256;  // of the DER, lower-case hex
};

// What the code holds: {"nightdrop":1,"serial_number":…,"certificate_sha256":…}.
std::string label_content(const LabelText& label);

// The modules of a QR code, dark or light, without the quiet zone.
struct QrCode {
  int width{0};
  std::vector<bool> dark;
  bool at(int x, int y) const { return dark[static_cast<std::size_t>(y * width + x)]; }
};
// Errors: InvalidArgument (more than a code holds).
// Standard: ISO/IEC 18004, error correction level M.
[[nodiscard]] Result<QrCode> make_qr_code(std::string_view content);

// Each with the quiet zone of four modules that the standard asks for.
std::string label_svg(const QrCode& code, const LabelText& label);
// Eight pixels a module, grey. Errors: Io (libpng).
[[nodiscard]] Result<std::string> label_png(const QrCode& code);
// For a printer of 203 dpi; the printer draws the code itself.
std::string label_zpl(const LabelText& label);

}  // namespace nightdrop::keys
