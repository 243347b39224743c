// Lists, labels, figures and asking readers; see inventory.hpp.
#include "keys/line/inventory.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "crypto/primitives.hpp"
#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "keys/line/label.hpp"
#include "nightdrop/encoding.hpp"
#include "nightdrop/time_text.hpp"

namespace nightdrop::keys {
namespace {

Json unit_json(const Unit& unit) {
  Json json = Json::object();
  json.set("serial_number", unit.order.serial_number)
      .set("merchant_id", unit.order.merchant)
      .set("order", unit.order.name)
      .set("connect", unit.order.connection)
      .set("state", name_of(unit.state))
      .set("attempts", unit.attempts);
  const auto set = [&](const char* name, const std::string& value) {
    value.empty() ? json.set(name, nullptr) : json.set(name, value);
  };
  set("reason", unit.reason);
  set("factory_key", unit.order.factory_key);
  json.set("trusted_on_first_use", unit.trusted_on_first_use);
  set("initial_key_id", unit.initial_key_id);
  set("key_check_value", unit.key_check_value);
  set("certificate", unit.certificate);
  set("certificate_state", unit.certificate_state);
  json.set("erase_ordered", unit.erase_ordered);
  set("not_after", unit.certificate.empty() ? "" : rfc3339(unit.not_after));
  return json;
}

std::string upper_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  return bytes ? hex_upper(*bytes) : std::string();
}

// A session with a reader, and the line below it.
struct OpenSession {
  std::unique_ptr<provisioning::Stream> stream;
  std::unique_ptr<provisioning::StationSession> session;
};

// In a whole handshake: what the reader says of itself is signed by its factory key, over this session.
Outcome<OpenSession> open_session(Station& station, const std::string& serial_number, const std::string& connection,
                                  const provisioning::Timeouts& timeouts) {
  auto stream = provisioning::connect(connection, std::chrono::steady_clock::now() + timeouts.step);
  if (!stream) return refuse(Exit::Unavailable, connection + ": " + stream.error().text);
  const auto accept = [&](const provisioning::ReaderHello& hello) -> std::expected<void, std::string> {
    if (serial_number.empty() || hello.serial_number == serial_number) return {};
    return std::unexpected("the reader has another serial number");
  };
  auto session = provisioning::StationSession::open(**stream, station.identity(), accept, timeouts);
  if (!session) return std::unexpected(refusal_of(session.error()));
  return OpenSession{std::move(*stream), std::move(*session)};
}

// Each difference as a sentence.
std::vector<std::string> differences(const Unit& unit, const provisioning::ReaderHello& hello) {
  std::vector<std::string> all;
  const bool provisioned = hello.state == provisioning::ReaderState::Provisioned;
  if (!unit.order.factory_key.empty() && unit.order.factory_key != key_fingerprint(hello.factory_key)) {
    all.emplace_back("factory_key: the reader has another one");
  }
  if (provisioned != (unit.state == UnitState::Provisioned)) {
    all.emplace_back(provisioned ? "state: the reader is provisioned, the database does not say so"
                                 : "state: the reader is in factory state, the database says that it is provisioned");
    return all;
  }
  if (!provisioned) return all;
  if (hello.certificate_serial != unit.certificate) all.emplace_back("certificate: the reader has another one");
  if (upper_hex(hello.initial_key_id) != unit.initial_key_id) {
    all.emplace_back("initial_key_id: the reader has another one");
  }
  return all;
}

// The address that was given, else where the reader was provisioned. A development reader was so inside the tool.
Outcome<std::string> where_it_is(Station& station, const std::string& serial_number, const std::string& connection) {
  if (!connection.empty()) return connection;
  const auto unit = known_unit(station, serial_number);
  if (!unit) return std::unexpected(unit.error());
  if (unit->order.connection.find(':') == std::string::npos) {
    return refuse(Exit::Usage, serial_number + ": was provisioned without a line; --connect says where it waits now");
  }
  return unit->order.connection;
}

}  // namespace

Outcome<Unit> known_unit(Station& station, const std::string& serial_number) {
  auto unit = station.db().find(serial_number);
  if (!unit) return std::unexpected(unit.error());
  if (serial_number.empty() || !*unit) {
    return refuse(Exit::Data, serial_number + ": this station knows no reader with this serial number");
  }
  return std::move(**unit);
}

Outcome<Made> list_units(Station& station, const std::string& state) {
  const auto wanted = unit_state(state);
  if (!state.empty() && !wanted) return refuse(Exit::Usage, "--state is waiting, working, provisioned or aside");
  const auto units = station.db().units();
  if (!units) return std::unexpected(units.error());
  Made made;
  Json list = Json::array();
  std::size_t serial_width = std::string_view("serial").size();
  std::size_t merchant_width = std::string_view("merchant").size();
  for (const Unit& unit : *units) {
    serial_width = std::max(serial_width, unit.order.serial_number.size());
    merchant_width = std::max(merchant_width, unit.order.merchant.size());
  }
  const auto line = [&](const std::string& serial, std::string_view state_name, const std::string& key,
                        const std::string& merchant, const std::string& last) {
    return fmt::format("{:<{}} {:<11} {:<16} {:<{}} {}\n", serial, serial_width, state_name, key, merchant,
                       merchant_width, last);
  };
  made.text = line("serial", "state", "initial key ID", "merchant", "certificate, or reason");
  for (const Unit& unit : *units) {
    if (wanted && unit.state != *wanted) continue;
    std::string last = unit.reason;
    if (unit.state == UnitState::Provisioned) {
      last = unit.certificate + (unit.certificate_state == "revoked" ? ", revoked" : "") +
             (unit.erase_ordered ? ", erase order is out" : "");
    }
    made.text += line(unit.order.serial_number, name_of(unit.state),
                      unit.initial_key_id.empty() ? "-" : unit.initial_key_id, unit.order.merchant, last);
    list.push(unit_json(unit));
  }
  made.json.set("units", std::move(list));
  return made;
}

Outcome<Made> verify_unit(Station& station, const std::string& serial_number, const std::string& connection,
                          const provisioning::Timeouts& timeouts) {
  if (serial_number.empty() && connection.empty()) return refuse(Exit::Usage, "either --serial or --connect");
  const auto where = where_it_is(station, serial_number, connection);
  if (!where) return std::unexpected(where.error());
  const auto open = open_session(station, serial_number, *where, timeouts);
  if (!open) return std::unexpected(open.error());
  const provisioning::ReaderHello* const hello = &open->session->reader();
  auto unit = known_unit(station, hello->serial_number);
  if (!unit) return std::unexpected(unit.error());
  const auto pending = station.db().pending_rekeys(unit->unit);
  if (!pending) return std::unexpected(pending.error());
  const bool key_matches =
      unit->order.factory_key.empty() || unit->order.factory_key == key_fingerprint(hello->factory_key);
  const std::string shown = upper_hex(hello->initial_key_id);
  if (key_matches && hello->certificate_serial == unit->certificate &&
      std::find(pending->begin(), pending->end(), shown) != pending->end()) {
    if (auto seen = station.db().rekey_seen(unit->unit, shown, now()); !seen) return std::unexpected(seen.error());
    unit = known_unit(station, hello->serial_number);
    if (!unit) return std::unexpected(unit.error());
  }
  const auto different = differences(*unit, *hello);
  if (!different.empty()) {
    std::string message = hello->serial_number + ": " + different.front();
    for (std::size_t i = 1; i < different.size(); ++i) message += "; " + different[i];
    return refuse(Exit::Data, message);
  }
  const bool provisioned = hello->state == provisioning::ReaderState::Provisioned;
  Made made;
  made.json.set("serial_number", hello->serial_number)
      .set("state", provisioned ? "provisioned" : "factory")
      .set("firmware_version", hello->firmware_version)
      .set("factory_key", key_fingerprint(hello->factory_key))
      .set("certificate", hello->certificate_serial)
      .set("certificate_state", unit->certificate_state)
      .set("initial_key_id", shown)
      .set("matches", true);
  made.text = fmt::format("{}: {}, as the station's database says{}\n", hello->serial_number,
                          provisioned ? "provisioned" : "in factory state",
                          unit->certificate_state == "revoked" ? "; its certificate is revoked" : "");
  return made;
}

Outcome<Made> erase_unit(Station& station, const std::string& serial_number, const std::string& connection,
                         const std::string& order_file, const provisioning::Timeouts& timeouts) {
  const auto unit = known_unit(station, serial_number);
  if (!unit) return std::unexpected(unit.error());
  const auto order = read_file(order_file);
  if (!order) return std::unexpected(order.error());
  const auto where = where_it_is(station, serial_number, connection);
  if (!where) return std::unexpected(where.error());
  const auto open = open_session(station, serial_number, *where, timeouts);
  if (!open) return std::unexpected(open.error());
  if (!unit->order.factory_key.empty() &&
      unit->order.factory_key != key_fingerprint(open->session->reader().factory_key)) {
    return refuse(Exit::Data, serial_number + ": factory_key: the reader has another one");
  }
  if (const auto erased = open->session->erase(*order); !erased) return std::unexpected(refusal_of(erased.error()));
  Made made;
  made.text = serial_number + ": is in factory state again\n";
  made.json.set("serial_number", serial_number).set("state", "factory");
  return made;
}

Outcome<Made> make_label(Station& station, const std::string& serial_number, const std::string& folder) {
  const auto unit = known_unit(station, serial_number);
  if (!unit) return std::unexpected(unit.error());
  if (unit->state != UnitState::Provisioned) return refuse(Exit::Data, serial_number + ": is not provisioned");
  const auto der = station.db().certificate(unit->certificate);
  if (!der) return std::unexpected(der.error());
  const LabelText label{unit->order.serial_number, unit->order.merchant, hex_lower(sha256(*der))};
  const auto code = make_qr_code(label_content(label));
  if (!code) return refuse("the label's code", code.error());
  const auto png = label_png(*code);
  if (!png) return refuse("the label's picture", png.error());
  if (auto made = make_folder(folder); !made) return std::unexpected(made.error());
  Made made;
  made.json.set("serial_number", serial_number).set("content", label_content(label));
  const std::string stem = (std::filesystem::path(folder) / serial_number).string();
  for (const auto& [ending, content] :
       {std::pair{"svg", label_svg(*code, label)}, std::pair{"png", *png}, std::pair{"zpl", label_zpl(label)}}) {
    const std::string file = stem + "." + ending;
    if (auto written = write_file(file, content); !written) return std::unexpected(written.error());
    made.json.set(ending, file);
    made.text += file + "\n";
  }
  return made;
}

Outcome<Made> report(Station& station) {
  const auto counts = station.db().counts();
  if (!counts) return std::unexpected(counts.error());
  const auto units = station.db().units();
  if (!units) return std::unexpected(units.error());
  std::map<std::string, std::int64_t> reasons;  // by the word in front
  for (const Unit& unit : *units) {
    if (unit.state == UnitState::Aside) ++reasons[unit.reason.substr(0, unit.reason.find(':'))];
  }
  const auto keys = station.hsm().token().list();
  if (!keys) return refuse("the HSM's keys", keys.error());
  const std::int64_t finished = counts->provisioned + counts->aside;
  const auto percent = [&](std::int64_t part) {
    return finished == 0 ? std::string("-")
                         : fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(finished));
  };
  Made made;
  const auto line = [&](const char* name, const std::string& value) {
    made.text += fmt::format("{:<36}{}\n", name, value);
  };
  const auto number = [&](const char* name, const char* field, std::int64_t value) {
    line(name, std::to_string(value));
    made.json.set(field, value);
  };
  number("units ordered", "units", counts->units);
  number("provisioned", "provisioned", counts->provisioned);
  number("  of them at the first attempt", "first_pass", counts->first_pass);
  number("set aside", "aside", counts->aside);
  number("waiting", "waiting", counts->waiting);
  line("yield", percent(counts->provisioned));
  line("first-pass yield", percent(counts->first_pass));
  number("mean time a unit, ms", "mean_ms", counts->mean_ms);
  number("factory keys trusted on first use", "trusted_on_first_use", counts->trusted_on_first_use);
  number("initial key IDs burned", "initial_keys_burned", counts->keys_burned);
  number("certificates never in force", "certificates_void", counts->certificates_void);
  number("certificates revoked", "certificates_revoked", counts->certificates_revoked);
  const auto share = [&](std::int64_t part) { return finished == 0 ? 0 : part * 1000 / finished; };
  made.json.set("yield_per_mille", share(counts->provisioned)).set("first_pass_per_mille", share(counts->first_pass));
  Json by_reason = Json::object();
  for (const auto& [reason, count] : reasons) {
    line(("set aside: " + reason).c_str(), std::to_string(count));
    by_reason.set(reason, count);
  }
  Json check_values = Json::object();
  for (const auto& key : *keys) {
    if (!key.label.starts_with("bdk/") && !key.label.starts_with("fingerprint/")) continue;
    const auto value = station.hsm().check_value(key.label);
    if (!value) return std::unexpected(value.error());
    line(("check value of " + key.label).c_str(), *value);
    check_values.set(key.label, *value);
  }
  made.json.set("failures", std::move(by_reason)).set("check_values", std::move(check_values));
  return made;
}

}  // namespace nightdrop::keys
