// tests/bench: one table, every figure as a ratio within the same run, because machines are noisy and differ.
// docs/performance.md holds the table, how to get it, and what limits each row.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <sstream>
#include <thread>
#include <vector>

#include "crypto/primitives.hpp"
#include "crypto/sealed_key_vault.hpp"
#include "store/sqlcipher_store.hpp"
#include "tests/bench/bare.hpp"
#include "tests/bench/keys.hpp"
#include "tests/bench/reader.hpp"
#include "tests/bench/table.hpp"

namespace nightdrop::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Scale {
  int rounds{10};
  int payments_a_round{100};
  std::vector<int> drains{300, 10'000};
  std::vector<int> queue_lengths{0, 10'000, 1'000'000};
  int idle_s{10};
  int dukpt_payments{20'000};
  int provisioned{50};
};

std::int64_t proc_number(pid_t pid, const char* file, const char* key) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/" + file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) return std::stoll(line.substr(line.find_first_of("0123456789")));
  }
  return 0;
}

// Resident memory that is not a shared library's: anonymous pages and the program itself, in MiB.
double own_memory_mib(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps");
  bool library = false;
  double kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.find('-') < 17 && line.find(' ') > 16) library = line.find(".so") != std::string::npos;
    if (!library && line.starts_with("Rss:")) kib += std::stod(line.substr(4));
  }
  return kib / 1024;
}

// --- confirm to stored ---

void bench_capture(Reader& reader, const Scale& scale, const std::filesystem::path& dir) {
  PosClient pos = reader.pos();
  PosClient world = reader.world();
  BareSqlCipher bare(dir / "bare.db", std::string(NIGHTDROP_SOURCE_DIR) + "/src/store/migrations");
  BareFile file(dir / "bare.bin");
  std::vector<double> engine, sqlcipher, disk;
  int serial = 0;
  for (int round = -1; round < scale.rounds; ++round) {  // round -1 warms up
    std::vector<std::string> ids;
    for (int i = 0; i < scale.payments_a_round; ++i)
      ids.push_back(collected(pos, world, "capture-" + std::to_string(serial++)));
    for (const std::string& id : ids) {
      // Alternately, so that what disturbs the machine disturbs all three.
      const double e = seconds([&] { confirm(pos, id); });
      const double s = seconds([&] { bare.insert(); });
      const double d = seconds([&] { file.write_and_sync(); });
      if (round < 0) continue;
      engine.push_back(e);
      sqlcipher.push_back(s);
      disk.push_back(d);
    }
  }
  const auto ms = [](double s) { return text("%.3f ms", s * 1e3); };
  const double p50 = percentile(engine, 0.5), p99 = percentile(engine, 0.99);
  row("confirm to stored, p50", ms(p50), "bare SQLCipher " + ms(percentile(sqlcipher, 0.5)),
      p50 / percentile(sqlcipher, 0.5), "<= 1.3");
  row("confirm to stored, p99", ms(p99), "bare SQLCipher " + ms(percentile(sqlcipher, 0.99)),
      p99 / percentile(sqlcipher, 0.99), "<= 2");
  row("confirm to stored, p50", ms(p50), "4 KiB write+sync " + ms(percentile(disk, 0.5)), p50 / percentile(disk, 0.5),
      "");
}

void bench_group_commit(Reader& reader, const Scale& scale) {
  constexpr std::size_t connections = 8;
  PosClient pos = reader.pos();
  PosClient world = reader.world();
  double one = 0, eight = 0;
  int serial = 0;
  const int each = scale.payments_a_round * 4 / static_cast<int>(connections);
  for (int round = 0; round < scale.rounds; ++round) {
    std::vector<std::string> ids;
    for (std::size_t i = 0; i < connections * static_cast<std::size_t>(each); ++i)
      ids.push_back(collected(pos, world, "group-" + std::to_string(serial++)));
    std::vector<std::string> first(ids.begin(), ids.begin() + each);
    one += seconds([&] {
             for (const std::string& id : first) confirm(pos, id);
           }) /
           each;
    std::vector<PosClient> clients;
    for (std::size_t i = 0; i < connections; ++i) clients.push_back(reader.pos());
    const std::size_t rest = (ids.size() - first.size()) / connections;
    eight += seconds([&] {
               std::vector<std::thread> threads;
               for (std::size_t c = 0; c < connections; ++c) {
                 threads.emplace_back([&, c] {
                   for (std::size_t i = 0; i < rest; ++i) confirm(clients[c], ids[first.size() + c * rest + i]);
                 });
               }
               for (std::thread& thread : threads) thread.join();
             }) /
             static_cast<double>(rest * connections);
  }
  row("captures/s, 8 connections", text("%.0f", scale.rounds / eight), text("1 connection %.0f", scale.rounds / one),
      one / eight, ">= 4");
}

// --- forwarding ---

void store_many(Reader& reader, int count, const std::string& prefix) {
  PosClient pos = reader.pos();
  PosClient world = reader.world();
  for (int i = 0; i < count; ++i) confirm(pos, collected(pos, world, prefix + std::to_string(i)));
}

void bench_drain(Reader& reader, const Scale& scale) {
  constexpr int window = 16;
  for (const int count : scale.drains) {
    for (const int rtt_ms : {0, 60}) {
      PosClient world = reader.world();
      call(world, "set_link", R"({"link":"wifi","state":"down"})");
      store_many(reader, count, "drain-" + std::to_string(count) + "-" + std::to_string(rtt_ms) + "-");
      PosClient pos = reader.pos();
      const double drained = seconds([&] {
        call(world, "set_link", R"({"link":"wifi","state":"up","latency_ms":)" + std::to_string(rtt_ms) + "}");
        while (call(pos, "retrieve_offline_status", "{}")["offline_payments_count"].integer() != 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
      });
      const double bound = rtt_ms / 1e3 * std::ceil(static_cast<double>(count) / window);
      const std::string what = text("drain %d stored, %d ms round trip", count, rtt_ms);
      if (rtt_ms == 0) {
        row(what.c_str(), text("%.2f s", drained), text("%.0f payments/s", count / drained), drained / count * 1e3,
            "ms each");
      } else {
        row(what.c_str(), text("%.2f s", drained), text("RTT x ceil(n/16) %.2f s", bound), drained / bound, "<= 1.5");
      }
    }
  }
}

// --- what does not depend on the queue's length ---

void fill_queue(const std::filesystem::path& reader_dir, std::int64_t from, std::int64_t to) {
  auto vault = SealedKeyVault::open(reader_dir / "vault", [](const std::function<void()>&) {});
  if (!vault) std::exit(1);
  SqlCipherStore::Options options;
  options.dir = reader_dir / "queue";
  options.with_key = [&](const SqlCipherStore::KeyUse& use) { return (*vault)->with_queue_key(use); };
  options.sha256 = [](std::span<const std::uint8_t> prev, std::span<const std::uint8_t> bytes) {
    return sha256(prev, bytes);
  };
  auto store = SqlCipherStore::open(std::move(options));
  if (!store) std::exit(1);
  Payment payment;
  payment.status = Status::Stored;
  payment.amount = payment.card_amount = payment.exposure = 1250;
  payment.counted = true;
  payment.envelope = Envelope{};
  payment.envelope->ciphertext.assign(120, 7);
  payment.emv.assign(180, 9);
  payment.card = CardSummary{};
  payment.card->brand = Brand::Visa;
  payment.card->last4 = "4242";
  payment.card->fingerprint = "fp_00112233445566778899aabbccddeeff";
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  for (std::int64_t i = from; i < to;) {
    if (!(*store)->begin()) std::exit(1);
    for (const std::int64_t end = std::min(to, i + 2000); i < end; ++i) {
      payment.id = text("pi_%012llx70008000000000000000", static_cast<unsigned long long>(1'700'000'000'000 + i));
      payment.merchant_reference = "filled-" + std::to_string(i);
      payment.created_at = now - 1000;
      payment.stored_at = now - 1000;
      payment.deadline = now + 86'400'000;
      if (!(*store)->put(payment)) std::exit(1);
    }
    if (!(*store)->commit() || !(*store)->tidy()) std::exit(1);
  }
}

void bench_queue_length(Reader& reader, const Scale& scale) {
  double empty_start = 0, empty_memory = 0, empty_confirm = 0;
  std::int64_t filled = 0;
  for (const int length : scale.queue_lengths) {
    fill_queue(reader.dir(), filled, length);
    filled = length;
    std::vector<double> starts;
    for (int i = 0; i < 5; ++i) {
      starts.push_back(reader.start_seconds());
      if (i < 4) reader.stop();
    }
    PosClient world = reader.world();
    call(world, "set_link", R"({"link":"wifi","state":"down"})");
    PosClient pos = reader.pos();
    std::vector<double> confirms;
    for (int i = 0; i < 200; ++i) {
      const std::string id = collected(pos, world, text("length-%d-%d", length, i));
      confirms.push_back(seconds([&] { confirm(pos, id); }));
    }
    const double start = percentile(starts, 0.5), memory = own_memory_mib(reader.pid()),
                 capture = percentile(confirms, 0.5);
    if (length == 0) {
      empty_start = start;
      empty_memory = memory;
      empty_confirm = capture;
    }
    row(text("ready after start, %d stored", length).c_str(), text("%.0f ms", start * 1e3),
        text("empty queue %.0f ms", empty_start * 1e3), start / empty_start, "flat");
    row(text("confirm to stored, %d stored, p50", length).c_str(), text("%.3f ms", capture * 1e3),
        text("empty queue %.3f ms", empty_confirm * 1e3), capture / empty_confirm, "flat");
    row(text("memory beyond shared libraries, %d stored", length).c_str(), text("%.1f MiB", memory),
        text("empty queue %.1f MiB", empty_memory), memory / empty_memory, "12 MiB");
    reader.stop();
  }
}

void bench_bytes(Reader& reader) {
  constexpr int count = 500;
  const std::int64_t before = proc_number(reader.pid(), "io", "write_bytes");
  const auto begin = Clock::now();
  store_many(reader, count, "bytes-");
  const double took = std::chrono::duration<double>(Clock::now() - begin).count();
  const double each = static_cast<double>(proc_number(reader.pid(), "io", "write_bytes") - before) / count;
  row("bytes written to disk a payment", text("%.1f KiB", each / 1024), text("%.0f payments/s", count / took),
      each / 4096, "4K pages");
}

void bench_idle(Reader& reader, const Scale& scale) {
  const auto switches = [&] {
    std::int64_t sum = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(reader.pid()) + "/task")) {
      std::ifstream in(task.path() / "status");
      for (std::string line; std::getline(in, line);) {
        if (line.starts_with("voluntary_ctxt_switches")) sum += std::stoll(line.substr(line.find(':') + 1));
      }
    }
    return sum;
  };
  std::this_thread::sleep_for(std::chrono::seconds(2));  // what was begun ends
  const std::int64_t before = switches();
  std::this_thread::sleep_for(std::chrono::seconds(scale.idle_s));
  const double each = static_cast<double>(switches() - before) / scale.idle_s;
  row("wake-ups/s, idle and online", text("%.2f", each), "one a second", each, "<= 1");
}

int usage(int code) {
  std::puts(
      "Usage: nightdrop-bench [--quick] [--keys]\n\nPrints one table of figures as ratios within this run. --quick: "
      "fewer "
      "rounds, shorter queues. --keys: the rows of keys alone.\n"
      "Runs the real daemon and the simulated acquirer from the directory it is in, in a temporary directory "
      "(TMPDIR).");
  return code;
}

}  // namespace

int run(int argc, char** argv) {
  Scale scale;
  bool keys_alone = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option(argv[i]);
    if (option == "--help") return usage(0);
    if (option == "--keys") {
      keys_alone = true;
      continue;
    }
    if (option != "--quick") return usage(64);
    scale = {.rounds = 2,
             .payments_a_round = 50,
             .drains = {100},
             .queue_lengths = {0, 5'000},
             .idle_s = 3,
             .dukpt_payments = 2'000,
             .provisioned = 5};
  }
  const std::string binaries = std::filesystem::canonical("/proc/self/exe").parent_path();
  const TemporaryDirectory dir;
  std::printf("| %-46s | %12s | %24s | %8s | %-7s |\n", "what", "figure", "against", "ratio", "aim");
  std::puts(
      "|:-----------------------------------------------|-------------:|-------------------------:|---------:|:--------"
      "|");

  bench_dukpt(scale.dukpt_payments);
  bench_provisioning(scale.provisioned, dir.path());
  if (keys_alone) return 0;

  // The acquirer's port is needed to provision, its keys to start it: one is found first.
  const int port = 20'000 + getpid() % 20'000;
  {
    Reader reader(binaries, dir.path() / "reader", port);
    const Process acquirer({reader.program("nightdrop-sim"), "acquirer", "--dir",
                            (dir.path() / "reader/acquirer").string(), "--listen",
                            "127.0.0.1:" + std::to_string(port)});
    reader.start();
    bench_idle(reader, scale);
    PosClient world = reader.world();
    call(world, "set_link", R"({"link":"wifi","state":"down"})");
    bench_capture(reader, scale, dir.path());
    bench_group_commit(reader, scale);
    bench_bytes(reader);
    call(world, "set_link", R"({"link":"wifi","state":"up"})");
    PosClient pos = reader.pos();
    while (call(pos, "retrieve_offline_status", "{}")["offline_payments_count"].integer() != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    bench_drain(reader, scale);
  }
  Reader reader(binaries, dir.path() / "long", port + 1);
  bench_queue_length(reader, scale);
  return 0;
}

}  // namespace nightdrop::bench

int main(int argc, char** argv) {
  return nightdrop::bench::run(argc, argv);
}
