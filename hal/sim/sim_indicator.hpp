// The lamp that a test can look at.
#pragma once

#include "hal/indicator.hpp"
#include "nightdrop/words.hpp"

namespace nightdrop {

template <>
inline constexpr auto words<hal::Indication> = std::to_array({
    std::pair{hal::Indication::Idle, std::string_view("idle")},
    std::pair{hal::Indication::AwaitingCard, std::string_view("awaiting_card")},
    std::pair{hal::Indication::Processing, std::string_view("processing")},
    std::pair{hal::Indication::Approved, std::string_view("approved")},
    std::pair{hal::Indication::StoredOffline, std::string_view("stored_offline")},
    std::pair{hal::Indication::Refused, std::string_view("refused")},
    std::pair{hal::Indication::Attention, std::string_view("attention")},
});

namespace hal {

class SimIndicator final : public Indicator {
 public:
  void show(Indication indication) override { last_ = indication; }
  Indication last() const { return last_; }

 private:
  Indication last_{Indication::Idle};
};

}  // namespace hal
}  // namespace nightdrop
