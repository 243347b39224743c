#include "json/json.hpp"

#include <cjson/cJSON.h>

#include <cmath>
#include <cstring>
#include <utility>

namespace nightdrop {
namespace {

constexpr double integer_max = 999'999'999'999'999.0;  // cJSON writes 15 digits exactly

// RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  while (i < text.size()) {
    const unsigned char lead = byte(i);
    if (lead == 0) return false;
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || i + more >= text.size()) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    const unsigned char second = byte(i + 1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += more + 1;
  }
  return true;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 8259, 6: no plus, no leading zeros, digits on both sides of the point. Moves `i` behind the number.
bool take_number(std::string_view text, std::size_t& i) {
  const auto digits = [&] {
    const std::size_t first = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i != first;
  };
  if (text[i] == '-') ++i;
  const bool zero = i < text.size() && text[i] == '0';
  if (zero) ++i;
  if (!zero && !digits()) return false;
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return false;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size() || std::string_view(" \t\r\n,]}").find(text[i]) != std::string_view::npos;
}

// What cJSON would let pass and RFC 8259 does not: control characters, loose numbers, a byte order mark; and NUL by its
// escape, which would cut a string short here.
bool is_strict(std::string_view text) {
  bool in_string = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const bool control = static_cast<unsigned char>(c) < 0x20;
    if (in_string) {
      if (control || text.substr(i).starts_with("\\u0000")) return false;
      in_string = c != '"';
      i += c == '\\' ? 2 : 1;
      continue;
    }
    if (c == '-' || is_digit(c)) {
      if (!take_number(text, i)) return false;
      continue;
    }
    if (control && c != '\t' && c != '\r' && c != '\n') return false;
    if (static_cast<unsigned char>(c) >= 0x7F) return false;
    in_string = c == '"';
    ++i;
  }
  return true;
}

std::string take(char* printed) {
  if (printed == nullptr) std::abort();  // out of memory
  std::string text(printed);
  cJSON_free(printed);
  return text;
}

}  // namespace

bool JsonView::is_null() const {
  return cJSON_IsNull(node_) != 0;
}
bool JsonView::is_object() const {
  return cJSON_IsObject(node_) != 0;
}
bool JsonView::is_array() const {
  return cJSON_IsArray(node_) != 0;
}
bool JsonView::is_string() const {
  return cJSON_IsString(node_) != 0;
}
bool JsonView::is_bool() const {
  return cJSON_IsBool(node_) != 0;
}
bool JsonView::is_integer() const {
  return cJSON_IsNumber(node_) != 0 && std::trunc(node_->valuedouble) == node_->valuedouble &&
         std::abs(node_->valuedouble) <= integer_max;
}

std::optional<std::string_view> JsonView::string() const {
  if (!is_string()) return std::nullopt;
  return std::string_view(node_->valuestring);
}
void JsonView::wipe_string() const {
  if (is_string()) explicit_bzero(node_->valuestring, std::strlen(node_->valuestring));
}
std::optional<std::int64_t> JsonView::integer() const {
  if (!is_integer()) return std::nullopt;
  return static_cast<std::int64_t>(node_->valuedouble);
}
std::optional<bool> JsonView::boolean() const {
  if (!is_bool()) return std::nullopt;
  return cJSON_IsTrue(node_) != 0;
}

JsonView JsonView::operator[](std::string_view key) const {
  if (!is_object()) return {};
  for (const cJSON* child = node_->child; child != nullptr; child = child->next) {
    if (key == child->string) return JsonView(child);
  }
  return {};
}
std::vector<JsonView> JsonView::items() const {
  std::vector<JsonView> all;
  if (!is_array() && !is_object()) return all;
  for (const cJSON* child = node_->child; child != nullptr; child = child->next) all.emplace_back(child);
  return all;
}
std::string_view JsonView::key() const {
  return node_ != nullptr && node_->string != nullptr ? std::string_view(node_->string) : std::string_view();
}
std::size_t JsonView::size() const {
  return items().size();
}
std::string JsonView::dump() const {
  return node_ == nullptr ? "null" : take(cJSON_PrintUnformatted(node_));
}
std::string JsonView::dump_pretty() const {
  return node_ == nullptr ? "null" : take(cJSON_Print(node_));
}
Json JsonView::copy() const {
  return node_ == nullptr ? Json::null() : Json(cJSON_Duplicate(node_, 1));
}

Result<Json> Json::parse(std::string_view text) {
  if (!is_utf8(text)) return failure(Errc::Malformed, "the text is not UTF-8, or holds NUL");
  if (!is_strict(text)) return failure(Errc::Malformed, "the text is not JSON");
  const char* end = nullptr;
  cJSON* node = cJSON_ParseWithLengthOpts(text.data(), text.size(), &end, 0);
  if (node == nullptr) return failure(Errc::Malformed, "the text is not JSON");
  Json document(node);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    return failure(Errc::Malformed, "something follows the JSON document");
  }
  return document;
}

Json Json::object() {
  return Json(cJSON_CreateObject());
}
Json Json::array() {
  return Json(cJSON_CreateArray());
}
Json Json::null() {
  return Json(cJSON_CreateNull());
}
Json Json::string(std::string_view value) {
  return Json(cJSON_CreateString(std::string(value).c_str()));
}
Json Json::integer(std::int64_t value) {
  return Json(cJSON_CreateNumber(static_cast<double>(value)));
}
Json Json::boolean(bool value) {
  return Json(cJSON_CreateBool(value ? 1 : 0));
}

Json::Json(Json&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
Json& Json::operator=(Json&& other) noexcept {
  std::swap(node_, other.node_);
  return *this;
}
Json::~Json() {
  cJSON_Delete(node_);
}

Json& Json::set(std::string_view key, Json value) {
  const std::string name(key);
  cJSON_DeleteItemFromObjectCaseSensitive(node_, name.c_str());
  cJSON_AddItemToObject(node_, name.c_str(), std::exchange(value.node_, nullptr));
  return *this;
}
Json& Json::push(Json value) {
  cJSON_AddItemToArray(node_, std::exchange(value.node_, nullptr));
  return *this;
}

}  // namespace nightdrop
