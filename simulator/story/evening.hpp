// The evening itself, chapter by chapter. Each chapter acts on the real processes and tells what came of it; what it
// finds that must not be, it keeps for the proof.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "simulator/story/guests.hpp"
#include "simulator/story/narrator.hpp"
#include "simulator/story/pan_scan.hpp"
#include "simulator/story/proof.hpp"
#include "simulator/story/run.hpp"
#include "simulator/story/shop.hpp"
#include "simulator/story/till.hpp"

namespace nightdrop::simulator {

class Evening {
 public:
  Evening(const StoryOptions& options, Narrator& narrator);

  // Tells it all. Ensures: every process has ended.
  Proof tell();
  const std::string& acquirer_address() const { return acquirer_address_; }

 private:
  void line_is_up();
  void line_drops();
  void forty_guests();
  void one_guest(const Guest& guest);
  void refusals_before(int guest);
  void refused(const std::string& what, std::int64_t amount, const GuestCard& card, const std::string& then);
  void swipe_then_phone(const Guest& guest);
  void manager_approves(const Guest& guest);
  void tip_and_void();
  void power_cut();
  void full_house();
  void line_comes_back();
  void flap(int number, std::string_view state, std::string_view what, std::size_t answered_before);
  void sale_meanwhile();
  void what_the_reader_reports();
  void exposure();
  Proof prove();
  Check reconciled();
  Check audited();

  Sale sell(const std::string& reference, std::int64_t amount, const GuestCard& card);
  void forwarding_progress(std::size_t answered_before);
  std::size_t stored_count();

  const StoryOptions& options_;
  Narrator& narrator_;
  Shop shop_;
  Till till_;
  std::string acquirer_address_;
  std::vector<Guest> guests_;
  std::vector<Guest> late_guests_;
  std::set<std::string> pans_;  // of every card that met the reader
  std::string tipped_;          // ids
  std::string returned_;
  std::string receipt_says_;
  std::size_t meanwhile_{0};
  std::size_t to_forward_{0};
  int refused_{0};
  bool near_told_{false};
  Check power_cut_;
  PanScan in_the_dark_;
};

}  // namespace nightdrop::simulator
