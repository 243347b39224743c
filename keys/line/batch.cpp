// The batch; see batch.hpp. The calling thread shows progress and waits for signals; workers take units from a list.
#include "keys/line/batch.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "keys/command_line.hpp"
#include "keys/files.hpp"
#include "keys/line/progress.hpp"

namespace nightdrop::keys {
namespace {

constexpr int redraw_ms = 200;

using RecipeKey = std::pair<std::string, std::string>;  // policy file, template

struct Work {
  const OrderRow* row;
  const Recipe* recipe;
};

// Everything that is known before the first reader is touched.
struct Plan {
  std::vector<OrderRow> rows;
  std::map<RecipeKey, std::unique_ptr<Recipe>> recipes;
  std::vector<Work> work;
  std::size_t provisioned_before{0};
  std::size_t left_aside{0};
};

// SIGINT and SIGTERM as something to poll for, while this lives; threads that begin meanwhile have them blocked too.
class StopSignals {
 public:
  StopSignals() {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &wanted, &before_);
    descriptor_ = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~StopSignals() {
    close(descriptor_);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  int descriptor() const { return descriptor_; }
  bool take() const {
    signalfd_siginfo info{};
    return read(descriptor_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
  }

 private:
  sigset_t before_{};
  int descriptor_{-1};
};

// What workers hand to the thread that shows it.
class Results {
 public:
  Results() : ready_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Results() { close(ready_); }
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  int descriptor() const { return ready_; }
  void put(std::pair<const OrderRow*, Outcome<UnitResult>> result) {
    {
      const std::scoped_lock alone(mutex_);
      waiting_.push_back(std::move(result));
    }
    wake();
  }
  void wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(ready_, &one, sizeof(one));
  }
  auto take() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(ready_, &count, sizeof(count));
    const std::scoped_lock alone(mutex_);
    return std::exchange(waiting_, {});
  }

 private:
  int ready_;
  std::mutex mutex_;
  std::vector<std::pair<const OrderRow*, Outcome<UnitResult>>> waiting_;
};

std::unexpected<Refusal> refuse_row(const BatchOptions& options, const OrderRow& row, Refusal refusal) {
  return refuse(refusal.exit, options.orders_file + ":" + std::to_string(row.line) + ": " + refusal.message);
}

Outcome<const Recipe*> recipe_for(Station& station, const BatchOptions& options, Plan& plan, const OrderRow& row) {
  RecipeOptions wanted = options.recipe;
  if (!row.policy_file.empty()) wanted.policy_file = row.policy_file;
  if (!row.config_template.empty()) wanted.config_template = row.config_template;
  if (wanted.policy_file.empty()) return refuse(Exit::Data, "policy: neither the row nor --policy names one");
  if (wanted.config_template.empty())
    return refuse(Exit::Data, "config: neither the row nor --config-template names one");
  std::unique_ptr<Recipe>& kept = plan.recipes[{wanted.policy_file, wanted.config_template}];
  if (!kept) {
    auto made = make_recipe(station, wanted);
    if (!made) return std::unexpected(made.error());
    kept = std::make_unique<Recipe>(std::move(*made));
  }
  if (kept->policy.merchant != row.order.merchant) {
    return refuse(Exit::Data, "merchant_id: the policy is another merchant's");
  }
  return kept.get();
}

Outcome<Plan> make_plan(Station& station, const BatchOptions& options) {
  const auto text = read_file(options.orders_file);
  if (!text) return std::unexpected(text.error());
  auto rows = parse_orders(*text, options.orders_file);
  if (!rows) return std::unexpected(rows.error());
  Plan plan;
  plan.rows = std::move(*rows);
  std::vector<const Recipe*> recipes;
  std::set<std::string> merchants;
  for (const OrderRow& row : plan.rows) {
    const auto recipe = recipe_for(station, options, plan, row);
    if (!recipe) return refuse_row(options, row, recipe.error());
    recipes.push_back(*recipe);
    if (!merchants.insert(row.order.merchant).second) continue;
    if (const auto key = station.hsm().check_value("fingerprint/" + row.order.merchant); !key) {
      return refuse_row(options, row, {Exit::Config, "merchant_id: the HSM has no fingerprint key for this merchant"});
    }
  }
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const auto unit = station.db().take_order(plan.rows[i].order, now());
    if (!unit) return refuse_row(options, plan.rows[i], unit.error());
    if (unit->state == UnitState::Provisioned) {
      ++plan.provisioned_before;
    } else if (unit->state == UnitState::Aside && !options.retry_failed && !unit->provisioned_in_part) {
      ++plan.left_aside;
    } else {
      plan.work.push_back({&plan.rows[i], recipes[i]});
    }
  }
  return plan;
}

struct Tally {
  std::size_t provisioned{0}, settled{0}, aside{0}, trusted_on_first_use{0};
  bool stopped{false};
  Json units = Json::array();
};

void note_result(const OrderRow& row, const Outcome<UnitResult>& result, Tally& tally, Progress& progress) {
  Json unit = Json::object();
  unit.set("serial_number", row.order.serial_number).set("state", result ? "provisioned" : "aside");
  if (result) {
    ++tally.provisioned;
    if (result->settled) ++tally.settled;
    if (result->trusted_on_first_use) ++tally.trusted_on_first_use;
    unit.set("initial_key_id", result->initial_key_id)
        .set("key_check_value", result->key_check_value)
        .set("certificate", result->certificate)
        .set("factory_key", result->factory_key)
        .set("trusted_on_first_use", result->trusted_on_first_use)
        .set("settled", result->settled)
        .set("duration_ms", result->duration_ms);
    progress.unit(
        fmt::format("{}  {}  {} ms{}", row.order.serial_number, result->settled ? "settled" : "provisioned",
                    result->duration_ms, result->trusted_on_first_use ? "  factory key trusted on first use" : ""),
        false);
  } else {
    ++tally.aside;
    unit.set("reason", result.error().message);
    progress.unit(row.order.serial_number + "  aside  " + result.error().message, true);
  }
  tally.units.push(std::move(unit));
}

Tally work_off(Station& station, const BatchOptions& options, const Plan& plan) {
  const StopSignals signals;
  Results results;
  Progress progress(stderr, plan.work.size(), isatty(STDERR_FILENO) == 1);
  Tally tally;
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> at_work{0};
  const auto worker = [&] {
    for (std::size_t i = next.fetch_add(1); i < plan.work.size(); i = next.fetch_add(1)) {
      const Work& work = plan.work[i];
      results.put({work.row, run_unit({station, *work.recipe, now, options.timeouts}, work.row->order)});
    }
    at_work.fetch_sub(1);
    results.wake();
  };
  const std::size_t threads = std::min<std::size_t>(static_cast<std::size_t>(options.jobs), plan.work.size());
  at_work = threads;
  std::vector<std::jthread> workers;
  for (std::size_t i = 0; i < threads; ++i) workers.emplace_back(worker);

  bool over = threads == 0;
  while (!over) {
    std::array<pollfd, 2> wait{pollfd{signals.descriptor(), POLLIN, 0}, pollfd{results.descriptor(), POLLIN, 0}};
    poll(wait.data(), wait.size(), redraw_ms);
    if (signals.take()) {
      // The second time there is no waiting: what is cut off is what any crash leaves, and is settled at the next run.
      if (tally.stopped) _exit(130);
      tally.stopped = true;
      next = plan.work.size();
      progress.note("stopping after the units in hand; once more to stop at once");
    }
    over = at_work.load() == 0;
    for (const auto& [row, result] : results.take()) note_result(*row, result, tally, progress);
    if (!over) progress.draw();
  }
  return tally;
}

}  // namespace

Outcome<Made> run_batch(Station& station, const BatchOptions& options) {
  const auto plan = make_plan(station, options);
  if (!plan) return std::unexpected(plan.error());
  Tally tally = work_off(station, options, *plan);
  const std::size_t not_begun = plan->work.size() - tally.provisioned - tally.aside;
  Made made;
  made.text = fmt::format("{} units: {} provisioned, {} were before, {} set aside", plan->rows.size(),
                          tally.provisioned, plan->provisioned_before, tally.aside);
  if (plan->left_aside > 0)
    made.text += fmt::format(", {} aside from before (--retry-failed takes them again)", plan->left_aside);
  if (tally.settled > 0) made.text += fmt::format(", {} settled by asking the reader", tally.settled);
  if (not_begun > 0) made.text += fmt::format(", {} not begun; run it again to go on", not_begun);
  made.text += "\n";
  if (tally.trusted_on_first_use > 0) {
    made.text += fmt::format("{} factory keys were trusted on first use; orders with factory_key are checked\n",
                             tally.trusted_on_first_use);
  }
  const auto count = [](std::size_t value) { return static_cast<std::int64_t>(value); };
  made.json.set("orders", options.orders_file)
      .set("units", std::move(tally.units))
      .set("provisioned", count(tally.provisioned))
      .set("provisioned_before", count(plan->provisioned_before))
      .set("settled", count(tally.settled))
      .set("aside", count(tally.aside))
      .set("aside_before", count(plan->left_aside))
      .set("not_begun", count(not_begun))
      .set("trusted_on_first_use", count(tally.trusted_on_first_use))
      .set("stopped", tally.stopped);
  if (tally.aside + plan->left_aside > 0) made.exit_code = static_cast<int>(Exit::Unavailable);
  if (tally.stopped && not_begun > 0) made.exit_code = static_cast<int>(Exit::Busy);
  return made;
}

}  // namespace nightdrop::keys
