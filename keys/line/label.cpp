// Labels; see label.hpp. Text that comes from an order is escaped for each format.
#include "keys/line/label.hpp"

#include <cstdint>
#include <memory>

#include <png.h>
#include <qrencode.h>

#include "json/json.hpp"

namespace nightdrop::keys {
namespace {

constexpr int quiet_zone = 4;
constexpr int pixels_a_module = 8;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

// ^FH lets a byte be written as _XX, which keeps ^, ~ and _ out of the printer's commands.
std::string zpl_field(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte > 0x20 && byte < 0x7F && c != '^' && c != '~' && c != '_' && c != '\\') {
      out += c;
    } else {
      out += '_';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

struct PngFile {
  png_structp png{nullptr};
  png_infop info{nullptr};
  ~PngFile() { png_destroy_write_struct(&png, &info); }
};

void append(png_structp png, png_bytep data, png_size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))
      ->append(static_cast<const char*>(static_cast<const void*>(data)), size);
}

// libpng leaves by longjmp: nothing that needs a destructor lives between here and there.
bool write_png(png_structp png, png_infop info, std::uint32_t side, png_bytepp rows) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_IHDR(png, info, side, side, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_pHYs(png, info, 11'811, 11'811, PNG_RESOLUTION_METER);  // 300 dpi
  png_write_info(png, info);
  png_write_image(png, rows);
  png_write_end(png, info);
  return true;
}

}  // namespace

std::string label_content(const LabelText& label) {
  Json content = Json::object();
  content.set("nightdrop", 1)
      .set("serial_number", label.serial_number)
      .set("certificate_sha256", label.certificate_sha256);
  return content.dump();
}

Result<QrCode> make_qr_code(std::string_view content) {
  const auto* data = static_cast<const unsigned char*>(static_cast<const void*>(content.data()));
  const std::unique_ptr<QRcode, decltype([](QRcode* code) { QRcode_free(code); })> made(
      QRcode_encodeData(static_cast<int>(content.size()), data, 0, QR_ECLEVEL_M));
  if (!made) return failure(Errc::InvalidArgument, "the label's text does not go into a QR code");
  QrCode code;
  code.width = made->width;
  const auto modules = static_cast<std::size_t>(code.width) * static_cast<std::size_t>(code.width);
  code.dark.reserve(modules);
  for (std::size_t i = 0; i < modules; ++i) code.dark.push_back((made->data[i] & 1) != 0);
  return code;
}

std::string label_svg(const QrCode& code, const LabelText& label) {
  const int side = code.width + 2 * quiet_zone;
  const std::string width = std::to_string(side);
  const std::string height = std::to_string(side + 6);
  std::string path;
  for (int y = 0; y < code.width; ++y) {
    for (int x = 0; x < code.width; ++x) {
      if (!code.at(x, y)) continue;
      int run = 1;  // one rectangle a run, so that no hair lines show between modules
      while (x + run < code.width && code.at(x + run, y)) ++run;
      path += "M" + std::to_string(x + quiet_zone) + " " + std::to_string(y + quiet_zone) + "h" + std::to_string(run) +
              "v1h-" + std::to_string(run) + "z";
      x += run - 1;
    }
  }
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40mm\" viewBox=\"0 0 " +
         width + " " + height +
         "\">\n"
         "<title>" +
         escaped(label.serial_number) +
         "</title>\n"
         "<rect width=\"" +
         width + "\" height=\"" + height +
         "\" fill=\"#fff\"/>\n"
         "<path shape-rendering=\"crispEdges\" d=\"" +
         path +
         "\"/>\n"
         "<text x=\"" +
         std::to_string(side / 2) + "\" y=\"" + std::to_string(side + 2) +
         "\" font-family=\"monospace\" font-size=\"4\" text-anchor=\"middle\">" + escaped(label.serial_number) +
         "</text>\n</svg>\n";
}

Result<std::string> label_png(const QrCode& code) {
  const int modules = code.width + 2 * quiet_zone;
  const auto side = static_cast<std::size_t>(modules * pixels_a_module);
  std::vector<std::uint8_t> pixels(side * side, 0xFF);
  std::vector<std::uint8_t*> rows(side);
  for (std::size_t y = 0; y < side; ++y) {
    rows[y] = pixels.data() + y * side;
    const int module_y = static_cast<int>(y) / pixels_a_module - quiet_zone;
    if (module_y < 0 || module_y >= code.width) continue;
    for (std::size_t x = 0; x < side; ++x) {
      const int module_x = static_cast<int>(x) / pixels_a_module - quiet_zone;
      if (module_x >= 0 && module_x < code.width && code.at(module_x, module_y)) rows[y][x] = 0;
    }
  }
  std::string out;
  PngFile file;
  // Warnings and errors would go to stderr; a failure comes back by itself.
  const auto fail = [](png_structp png, png_const_charp) { png_longjmp(png, 1); };
  file.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, [](png_structp, png_const_charp) {});
  file.info = file.png == nullptr ? nullptr : png_create_info_struct(file.png);
  if (file.info == nullptr) return failure(Errc::Io, "the label's picture could not be made");
  png_set_write_fn(file.png, &out, append, nullptr);
  if (!write_png(file.png, file.info, static_cast<std::uint32_t>(side), rows.data())) {
    return failure(Errc::Io, "the label's picture could not be made");
  }
  return out;
}

std::string label_zpl(const LabelText& label) {
  return "^XA\n^CI28\n^PW480\n^LL280\n"
         "^FO24,24^BQN,2,4^FH_^FDMA," +
         zpl_field(label_content(label)) +
         "^FS\n"
         "^FO250,40^A0N,34,30^FH_^FD" +
         zpl_field(label.serial_number) +
         "^FS\n"
         "^FO250,90^A0N,22,20^FH_^FD" +
         zpl_field(label.merchant) +
         "^FS\n"
         "^FO250,130^A0N,20,18^FH_^FD" +
         zpl_field(label.certificate_sha256.substr(0, 16)) +
         "^FS\n"
         "^XZ\n";
}

}  // namespace nightdrop::keys
