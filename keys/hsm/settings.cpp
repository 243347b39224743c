// hsm.json: read strictly, so that a misspelt member is not silently without effect.
#include <array>
#include <filesystem>

#include "keys/files.hpp"
#include "keys/hsm/hsm.hpp"

namespace nightdrop::keys {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> members{"module", "token_label", "pin_file", "softhsm_dir"};

std::string in_folder(const std::string& folder, std::string_view path) {
  return path.empty() ? std::string() : (fs::path(folder) / path).lexically_normal().string();
}

// `path` as seen from `folder` where it lies in it; as it is otherwise.
std::string from_folder(const std::string& folder, const std::string& path) {
  const fs::path absolute = fs::absolute(path).lexically_normal();
  const fs::path relative = absolute.lexically_relative(fs::absolute(folder).lexically_normal());
  const bool inside = !relative.empty() && *relative.begin() != "..";
  return inside ? relative.string() : absolute.string();
}

}  // namespace

Outcome<HsmSettings> load_hsm_settings(const std::string& folder) {
  const std::string file = (fs::path(folder) / "hsm.json").string();
  const auto text = read_file(file);
  if (!text) return refuse(Exit::NoInput, text.error().message + "; `hsm init` makes it");
  const auto document = Json::parse(*text);
  if (!document || !document->view().is_object()) return refuse(Exit::Config, file + ": is not a JSON object");
  for (const JsonView member : document->view().items()) {
    const bool known = std::ranges::find(members, member.key()) != members.end();
    if (!known || !member.is_string()) {
      return refuse(Exit::Config,
                    file + ": " + std::string(member.key()) + (known ? " is not a text" : " is not known"));
    }
  }
  const auto text_of = [&](const char* key) { return std::string((*document)[key].string().value_or("")); };
  HsmSettings settings;
  settings.where = {text_of("module"), text_of("token_label")};
  if (settings.where.module.empty()) return refuse(Exit::Config, file + ": module is missing");
  if (settings.where.token_label.empty()) return refuse(Exit::Config, file + ": token_label is missing");
  settings.where.module = in_folder(folder, settings.where.module);
  settings.pin_file = in_folder(folder, text_of("pin_file"));
  settings.softhsm_dir = in_folder(folder, text_of("softhsm_dir"));
  return settings;
}

Outcome<void> save_hsm_settings(const std::string& folder, const HsmSettings& settings) {
  Json document = Json::object();
  document.set("module", from_folder(folder, settings.where.module)).set("token_label", settings.where.token_label);
  if (!settings.pin_file.empty()) document.set("pin_file", from_folder(folder, settings.pin_file));
  if (!settings.softhsm_dir.empty()) document.set("softhsm_dir", from_folder(folder, settings.softhsm_dir));
  return write_file(fs::path(folder) / "hsm.json", document.view().dump_pretty() + "\n");
}

}  // namespace nightdrop::keys
