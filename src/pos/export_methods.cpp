// The POS protocol's export_sealed: the export is written once, handed out in pages of whole lines, and counts as
// received when the client gives the digest of all of it back.
#include "nightdrop/encoding.hpp"
#include "pos/methods.hpp"

namespace nightdrop::pos {
namespace {

using terminal::PosError;
using terminal::PosResult;

constexpr std::size_t page_bytes = 128 * 1024;
constexpr std::int64_t export_max = INT64_C(999999999999999);

PosError invalid(const char* field, std::string message) {
  return {.code = PosCode::InvalidParams, .message = std::move(message), .field = field};
}

}  // namespace

void Methods::export_sealed(Params& params, const Responder& respond) {
  const auto id = params.optional_integer("export", 1, export_max);
  const auto offset = params.optional_integer("offset", 0, export_max);
  const auto received = params.optional_text("received", 64, 64);
  if (!id && (offset || received)) params.fail("export", "is missing");
  if (offset && received) params.fail("received", "does not go with offset");
  if (auto wrong = params.error()) return answer(respond, std::unexpected(std::move(*wrong)));
  if (!id) return begin_export(respond);
  if (!held_ || held_->id != *id)
    return answer(respond, std::unexpected(invalid("export", "This export is no longer held; begin anew.")));
  if (received) return export_received(*held_, *received, respond);
  export_page(*held_, static_cast<std::size_t>(offset.value_or(0)), respond);
}

void Methods::begin_export(const Responder& respond) {
  auto made = terminal_.export_sealed();
  if (!made) return answer(respond, std::unexpected(made.error()));
  held_ = HeldExport{++last_export_, std::move(*made)};
  export_page(*held_, 0, respond);
}

void Methods::export_page(const HeldExport& held, std::size_t offset, const Responder& respond) {
  const std::string& text = held.made.text;
  const bool at_line = offset == 0 || (offset <= text.size() && text[offset - 1] == '\n');
  if (!at_line) return answer(respond, std::unexpected(invalid("offset", "offset is not where a page begins.")));
  std::size_t end = text.size();
  if (end - offset > page_bytes) {
    const std::size_t cut = text.rfind('\n', offset + page_bytes);
    end = (cut == std::string::npos || cut < offset ? text.find('\n', offset) : cut) + 1;
  }
  Json page = Json::object();
  page.set("export", held.id).set("count", held.made.payments).set("reversals", held.made.reversals);
  page.set("bytes", static_cast<std::uint64_t>(text.size())).set("offset", static_cast<std::uint64_t>(end));
  page.set("has_more", end < text.size()).set("text", std::string_view(text).substr(offset, end - offset));
  answer(respond, std::move(page));
}

void Methods::export_received(const HeldExport& held, const std::string& sha256, const Responder& respond) {
  const auto& settings = terminal_.books().settings();
  if (hex_lower(settings.sha256({}, bytes_of(held.made.text))) != sha256)
    return answer(respond, std::unexpected(invalid("received", "This is not the digest of the export's bytes.")));
  const auto noted = terminal_.exported(held.made);
  Json result = Json::object();
  result.set("export", held.id).set("count", held.made.payments).set("received", true);
  if (!noted) return answer(respond, std::unexpected(noted.error()));
  held_.reset();
  answer(respond, std::move(result));
}

}  // namespace nightdrop::pos
