#include "simulator/story/run.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>

#include <unistd.h>

#include "simulator/story/evening.hpp"

namespace nightdrop::simulator {
namespace {

constexpr int exit_broken = 1;
constexpr int exit_software = 70;
constexpr std::size_t name_width = 16;

using Steady = std::chrono::steady_clock;

void tell_checks(Narrator& narrator, const std::vector<Check>& checks) {
  for (const Check& check : checks) {
    const report::Style& style = narrator.style();
    const auto lines = report::wrapped(check.figure, style.width - 4 - name_width - 1);
    std::string text = report::toned(check.ok ? "✓" : "✗", check.ok ? report::Tone::Good : report::Tone::Bad, style) +
                       " " + report::toned(report::left(check.name, name_width), report::Tone::Strong, style);
    for (std::size_t i = 0; i < lines.size(); ++i)
      text += (i == 0 ? "" : std::string(name_width + 2, ' ')) + lines[i] + "\n";
    narrator.block(text);
    narrator.pause(std::chrono::milliseconds(250));
  }
}

void print_json(const Proof& proof, std::int64_t took_ms) {
  Json list = Json::array();
  for (const Check& check : proof.checks) {
    Json each = Json::object();
    list.push(std::move(each.set("check", check.key).set("ok", check.ok).set("figure", check.figure)));
  }
  const auto number = [](std::size_t value) { return static_cast<std::uint64_t>(value); };
  const Comparison& books = proof.books;
  Json json = Json::object();
  json.set("ok", proof.holds()).set("lost", number(books.lost)).set("twice", number(books.twice + books.unexplained));
  json.set("confirmed", number(books.confirmed)).set("approved", number(books.approved));
  json.set("declined", number(books.declined)).set("voided", number(books.voided)).set("posted", number(books.posted));
  json.set("ledger_total", books.ledger_total).set("reader_total", books.reader_total);
  json.set("took_ms", took_ms).set("checks", std::move(list));
  std::printf("%s\n", json.dump().c_str());
  std::fflush(stdout);
}

void say_how_to_go_on(Narrator& narrator, const StoryOptions& options, const std::string& acquirer_address) {
  narrator.blank();
  narrator.say("The reader is in " + options.directory + ". To go on by hand:");
  narrator.block(options.programs + "/nightdrop-sim acquirer --dir " + options.directory + "/acquirer --listen " +
                 acquirer_address + " &\n" + options.programs + "/nightdropd --config " + options.directory +
                 "/nightdrop.json &\n" + options.programs + "/nightdrop --config " + options.directory +
                 "/nightdrop.json list\n");
}

}  // namespace

int run_story(const StoryOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  Narrator narrator(options.json ? STDERR_FILENO : STDOUT_FILENO, options.fast);
  const auto begin = Steady::now();
  try {
    narrator.title("Friday, 7:40 pm", "A full restaurant, one card reader, and a line that will not last the evening.");
    Evening evening(options, narrator);
    const Proof proof = evening.tell();
    const bool holds = proof.holds();
    const std::int64_t took = std::chrono::duration_cast<std::chrono::milliseconds>(Steady::now() - begin).count();
    tell_checks(narrator, proof.checks);
    narrator.blank();
    narrator.say(holds ? "The proof holds. The evening took " + std::to_string((took + 500) / 1000) + " seconds."
                       : std::string("The proof does not hold."),
                 holds ? report::Tone::Good : report::Tone::Bad);
    if (options.json) print_json(proof, took);
    if (options.keep) say_how_to_go_on(narrator, options, evening.acquirer_address());
    return holds ? 0 : exit_broken;
  } catch (const std::exception& failure) {
    narrator.mark("✗", report::Tone::Bad, std::string("The story broke off: ") + failure.what());
    if (options.json) print_json({}, 0);
    return exit_software;
  }
}

}  // namespace nightdrop::simulator
