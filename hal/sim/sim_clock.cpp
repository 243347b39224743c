// The machine's clocks plus offsets. What is saved is offsets, not readings, so nothing need be written as time passes.
#include "hal/sim/sim_clock.hpp"

#include <ctime>
#include <fstream>

#include "hal/sim/sim_state_file.hpp"

namespace nightdrop::hal {
namespace {

std::int64_t clock_ms(clockid_t clock) {
  timespec now{};
  ND_ASSERT(clock_gettime(clock, &now) == 0);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

std::string os_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

}  // namespace

SimClock::SimClock(std::string state_file) : state_file_(std::move(state_file)), os_boot_id_(os_boot_id()) {
  if (!state_file_.empty()) load();
}

std::chrono::milliseconds SimClock::monotonic() const {
  return std::chrono::milliseconds{clock_ms(CLOCK_BOOTTIME) + monotonic_offset_ms_};
}

WallReading SimClock::wall() const {
  return {clock_ms(CLOCK_REALTIME) + wall_offset_ms_, trusted_};
}

std::string SimClock::boot_id() const {
  return boots_ == 0 ? os_boot_id_ : os_boot_id_ + "-" + std::to_string(boots_);
}

void SimClock::set_utc(UtcMs utc) {
  wall_offset_ms_ = utc - clock_ms(CLOCK_REALTIME);
  static_cast<void>(save());  // best effort: without the file the clock is right until a restart
}

void SimClock::set_trusted(bool trusted) {
  trusted_ = trusted;
  static_cast<void>(save());
}

void SimClock::advance(std::chrono::milliseconds by) {
  ND_ASSERT(by.count() >= 0);
  wall_offset_ms_ += by.count();
  monotonic_offset_ms_ += by.count();
  static_cast<void>(save());
}

void SimClock::reboot_at_next_start() {
  reboot_pending_ = true;
  static_cast<void>(save());
}

Result<void> SimClock::save() const {
  if (state_file_.empty()) return {};
  Json state = Json::object();
  state.set("os_boot_id", os_boot_id_)
      .set("wall_offset_ms", wall_offset_ms_)
      .set("monotonic_offset_ms", monotonic_offset_ms_)
      .set("boots", boots_)
      .set("reboot_pending", reboot_pending_)
      .set("trusted", trusted_);
  return write_sim_state(state_file_, state.view());
}

void SimClock::load() {
  const auto state = read_sim_state(state_file_);
  if (!state) return;
  wall_offset_ms_ = (*state)["wall_offset_ms"].integer().value_or(0);
  trusted_ = (*state)["trusted"].boolean().value_or(true);
  boots_ = (*state)["boots"].integer().value_or(0);
  // A boot of the machine is one of the simulated device, too: its monotonic time begins anew.
  if ((*state)["os_boot_id"].string() == os_boot_id_) {
    monotonic_offset_ms_ = (*state)["monotonic_offset_ms"].integer().value_or(0);
  }
  if ((*state)["reboot_pending"].boolean().value_or(false)) {
    ++boots_;
    monotonic_offset_ms_ = -clock_ms(CLOCK_BOOTTIME);
    static_cast<void>(save());
  }
}

}  // namespace nightdrop::hal
