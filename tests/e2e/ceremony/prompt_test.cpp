// Custodians at a terminal: what they are asked, that nothing they type is shown, and that a slip is asked for again.
#include <csignal>

#include <poll.h>
#include <pty.h>
#include <sys/wait.h>

#include "crypto/primitives.hpp"
#include "e2e/ceremony/station.hpp"

namespace nightdrop {
namespace {

using test::Bytes;
using test::check_value;
using test::exclusive_or;
using test::MadeStation;
using testing::HasSubstr;
using testing::Not;

// The binary on a terminal of its own.
class AtTerminal {
 public:
  explicit AtTerminal(std::vector<std::string> words) {
    words.insert(words.begin(), test::provision);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
    if (child_ == 0) {
      execv(argv.front(), argv.data());
      _exit(127);
    }
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;
  ~AtTerminal() {
    close(terminal_);
    if (child_ > 0) {
      kill(child_, SIGKILL);
      waitpid(child_, nullptr, 0);
    }
  }

  // Waits for a prompt after what was seen so far, then types a line.
  void answer(const std::string& prompt, const std::string& line) {
    const auto seen = [&] { return shown_.find(prompt, read_to_) != std::string::npos; };
    while (!seen() && read_more()) {
    }
    if (!seen()) kill(child_, SIGKILL);  // else it would wait for its answer for ever
    ASSERT_TRUE(seen()) << prompt << " did not come: " << shown_;
    read_to_ = shown_.find(prompt, read_to_) + prompt.size();
    const std::string text = line + "\n";
    ASSERT_EQ(write(terminal_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  int finish() {
    while (read_more()) {
    }
    if (!ended_) kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  const std::string& shown() const { return shown_; }

 private:
  // Whether something came before the deadline and the end.
  bool read_more() {
    pollfd wait{terminal_, POLLIN, 0};
    if (poll(&wait, 1, 20'000) != 1) return false;
    char buffer[512];
    const ssize_t got = read(terminal_, buffer, sizeof(buffer));
    if (got <= 0) ended_ = true;
    if (got <= 0) return false;
    shown_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  int terminal_{-1};
  pid_t child_{-1};
  bool ended_{false};
  std::string shown_;
  std::size_t read_to_{0};
};

std::string in_groups(const Bytes& key) {
  std::string text;
  const std::string digits = hex_upper(key);
  for (std::size_t i = 0; i < digits.size(); i += 4) text += digits.substr(i, 4) + " ";
  return text;
}

struct Parts {
  Parts() {
    EXPECT_TRUE(random_bytes(a));
    EXPECT_TRUE(random_bytes(b));
  }
  Bytes a = Bytes(32);
  Bytes b = Bytes(32);
  Bytes whole() const { return exclusive_or(a, b); }
};

TEST(AtTheTerminal, TwoCustodiansTypeTheirComponents) {
  const MadeStation station;
  const Parts parts;
  AtTerminal terminal({"ceremony", "import", "--station", station.station(), "--key", "kbpk/acquirer"});
  terminal.answer("Name of the custodian of component 1: ", "Anna Ito");
  terminal.answer("component 1 of 2, custodian Anna Ito (hex digits; nothing is shown): ", in_groups(parts.a));
  terminal.answer("its check value: ", check_value(parts.a));
  terminal.answer("Name of the custodian of component 2: ", "Bert Roy");
  terminal.answer("component 2 of 2, custodian Bert Roy (hex digits; nothing is shown): ", hex_lower(parts.b));
  terminal.answer("its check value: ", check_value(parts.b));
  terminal.answer("Check value of the whole key: ", check_value(parts.whole()));
  EXPECT_EQ(terminal.finish(), 0) << terminal.shown();
  for (const std::string& typed : {in_groups(parts.a).substr(0, 39), hex_lower(parts.b), hex_upper(parts.whole())}) {
    EXPECT_THAT(terminal.shown(), Not(HasSubstr(typed)));
  }
  EXPECT_EQ(station.shown("kbpk/acquirer", "check_value"), "\"" + check_value(parts.whole()) + "\"");
}

TEST(AtTheTerminal, ASlipIsAskedForAgain) {
  const MadeStation station;
  const Parts parts;
  AtTerminal terminal({"ceremony", "import", "--station", station.station(), "--key", "kbpk/acquirer", "--custodian",
                       "anna", "--custodian", "bert"});
  terminal.answer("nothing is shown): ", in_groups(parts.b));
  terminal.answer("its check value: ", check_value(parts.a));
  terminal.answer(
      "its check value is another. Again.\r\ncomponent 1 of 2, custodian anna (hex digits; nothing is shown): ",
      hex_lower(parts.a));
  terminal.answer("its check value: ", check_value(parts.a));
  terminal.answer("component 2 of 2, custodian bert (hex digits; nothing is shown): ", hex_lower(parts.b));
  terminal.answer("its check value: ", check_value(parts.b));
  terminal.answer("Check value of the whole key: ", check_value(parts.whole()));
  EXPECT_EQ(terminal.finish(), 0) << terminal.shown();
}

TEST(AtTheTerminal, TheThirdSlipIsTheLast) {
  const MadeStation station;
  const Parts parts;
  AtTerminal terminal({"ceremony", "import", "--station", station.station(), "--key", "kbpk/acquirer", "--custodian",
                       "anna", "--custodian", "bert"});
  for (int i = 0; i < 3; ++i) {
    terminal.answer("nothing is shown): ", in_groups(parts.b));
    terminal.answer("its check value: ", check_value(parts.a));
  }
  EXPECT_EQ(terminal.finish(), 65);
}

TEST(AtTheTerminal, TheSamePersonTwiceIsRefusedBeforeTyping) {
  const MadeStation station;
  const Parts parts;
  AtTerminal terminal({"ceremony", "import", "--station", station.station(), "--key", "kbpk/acquirer"});
  terminal.answer("Name of the custodian of component 1: ", "anna");
  terminal.answer("nothing is shown): ", hex_lower(parts.a));
  terminal.answer("its check value: ", check_value(parts.a));
  terminal.answer("Name of the custodian of component 2: ", "Anna");
  EXPECT_EQ(terminal.finish(), 64);
  EXPECT_THAT(terminal.shown(), HasSubstr("one person gives one component"));
}

TEST(AtTheTerminal, ThePinIsAskedForTwiceWhenItIsSetAndNotShown) {
  const test::CeremonyStation station;
  AtTerminal terminal({"hsm", "init", "--station", station.station(), "--softhsm"});
  terminal.answer("Security officer's PIN of the new token: ", "87654321");
  terminal.answer("The same again: ", "87654321");
  terminal.answer("PIN of the token 'nightdrop': ", "24681357");
  terminal.answer("The same again: ", "24681357");
  EXPECT_EQ(terminal.finish(), 0) << terminal.shown();
  EXPECT_THAT(terminal.shown(), Not(HasSubstr("24681357")));
  EXPECT_THAT(terminal.shown(), Not(HasSubstr("87654321")));
}

}  // namespace
}  // namespace nightdrop
