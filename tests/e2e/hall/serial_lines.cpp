#include "e2e/hall/serial_lines.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <stdexcept>
#include <utility>

namespace nightdrop::e2e {
namespace {

constexpr std::size_t garbage_bytes = 700;

// A pty without line discipline; the slave stays open here too, so that the master lives while nobody has it.
void open_raw(int& master, int& slave, const std::string& name) {
  termios raw{};
  ::cfmakeraw(&raw);
  std::array<char, 128> path{};
  if (::openpty(&master, &slave, path.data(), &raw, nullptr) != 0) throw std::runtime_error("no pty could be made");
  for (const int file : {master, slave}) ::fcntl(file, F_SETFD, FD_CLOEXEC);
  ::fcntl(master, F_SETFL, O_NONBLOCK);
  // Renamed into place: an end is never without its name.
  const std::string fresh = name + ".new";
  ::unlink(fresh.c_str());
  if (::symlink(path.data(), fresh.c_str()) != 0 || ::rename(fresh.c_str(), name.c_str()) != 0) {
    throw std::runtime_error("cannot name " + name);
  }
}

}  // namespace

SerialLines::SerialLines(std::string folder) : folder_(std::move(folder)) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("no pipe could be made");
  wake_out_ = ends[0];
  wake_in_ = ends[1];
  thread_ = std::thread([this] { run(); });
}

SerialLines::~SerialLines() {
  stopping_ = true;
  wake();
  thread_.join();
  for (const auto& line : lines_) close(*line);
  ::close(wake_in_);
  ::close(wake_out_);
}

void SerialLines::wake() {
  const char byte = 1;
  (void)!::write(wake_in_, &byte, 1);  // a full pipe wakes as well
}

void SerialLines::open(std::size_t number) {
  Line& line = *lines_[number];
  open_raw(line.station_master, line.station_slave, station_end(number));
  open_raw(line.reader_master, line.reader_slave, reader_end(number));
}

void SerialLines::close(Line& line) {
  for (int* file : {&line.station_master, &line.station_slave, &line.reader_master, &line.reader_slave}) {
    if (*file >= 0) ::close(*file);
    *file = -1;
  }
  line.to_reader.waiting.clear();
  line.to_station.waiting.clear();
}

std::size_t SerialLines::add() {
  const std::lock_guard lock(mutex_);
  lines_.push_back(std::make_unique<Line>());
  open(lines_.size() - 1);
  wake();
  return lines_.size() - 1;
}

void SerialLines::plan(std::size_t line, const Plan& plan) {
  const std::lock_guard lock(mutex_);
  lines_[line]->plan = plan;
  lines_[line]->happened = false;
  lines_[line]->sent = 0;
}

bool SerialLines::happened(std::size_t line) {
  const std::lock_guard lock(mutex_);
  return lines_[line]->happened;
}

bool SerialLines::is_cut(std::size_t line) {
  const std::lock_guard lock(mutex_);
  return lines_[line]->station_master < 0;
}

void SerialLines::lay_anew(std::size_t number) {
  const std::lock_guard lock(mutex_);
  Line& line = *lines_[number];
  close(line);
  open(number);
  line.replaying = !line.recorded.empty();
  line.to_reader.waiting = std::exchange(line.recorded, {});
  wake();
}

void SerialLines::on_call(std::function<void(std::size_t)> call) {
  const std::lock_guard lock(mutex_);
  call_ = std::move(call);
}

void SerialLines::flush(int to, Direction& direction) {
  while (!direction.waiting.empty()) {
    const ssize_t count = ::write(to, direction.waiting.data(), direction.waiting.size());
    if (count <= 0) return;
    direction.waiting.erase(direction.waiting.begin(), direction.waiting.begin() + count);
  }
}

// What the plan makes of bytes on their way to the reader.
void SerialLines::meddle(std::size_t number, std::vector<std::uint8_t>& bytes) {
  Line& line = *lines_[number];
  line.replaying = false;  // a session of today
  const std::size_t from = line.sent;
  line.sent += bytes.size();
  if (line.plan.mishap == Mishap::Replay && !line.happened) {
    line.recorded.insert(line.recorded.end(), bytes.begin(), bytes.end());
  }
  if (line.happened || line.sent <= line.plan.at) return;
  switch (line.plan.mishap) {
    case Mishap::None: return;
    case Mishap::Cut:
    case Mishap::Replay:
      bytes.clear();
      close(line);
      break;
    case Mishap::Garbage: {
      std::mt19937 random(static_cast<unsigned>(number));
      std::vector<std::uint8_t> noise(garbage_bytes);
      for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
      bytes.insert(bytes.begin(), noise.begin(), noise.end());
      break;
    }
    case Mishap::Flip: bytes[line.plan.at - from] ^= 0x10; break;
    case Mishap::Call: calls_.push_back(number); break;
  }
  line.happened = true;
}

void SerialLines::take(std::size_t number, bool from_station) {
  Line& line = *lines_[number];
  std::vector<std::uint8_t> bytes(4096);
  const ssize_t count = ::read(from_station ? line.station_master : line.reader_master, bytes.data(), bytes.size());
  if (count <= 0) return;
  bytes.resize(static_cast<std::size_t>(count));
  relayed_ += bytes.size();
  if (from_station) {
    meddle(number, bytes);
    if (line.reader_master < 0) return;
    line.to_reader.waiting.insert(line.to_reader.waiting.end(), bytes.begin(), bytes.end());
  } else if (!line.replaying) {
    line.to_station.waiting.insert(line.to_station.waiting.end(), bytes.begin(), bytes.end());
  }
}

void SerialLines::run() {
  while (!stopping_) {
    std::vector<pollfd> polled{{wake_out_, POLLIN, 0}};
    std::vector<std::pair<std::size_t, bool>> whose{{0, false}};  // line, and whether it is the station's end
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t i = 0; i < lines_.size(); ++i) {
        Line& line = *lines_[i];
        if (line.station_master < 0) continue;
        const auto events = [](const Direction& out) {
          return static_cast<short>(POLLIN | (out.waiting.empty() ? 0 : POLLOUT));
        };
        polled.push_back({line.station_master, events(line.to_station), 0});
        whose.emplace_back(i, true);
        polled.push_back({line.reader_master, events(line.to_reader), 0});
        whose.emplace_back(i, false);
      }
    }
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    std::array<char, 64> drained{};
    while (::read(wake_out_, drained.data(), drained.size()) > 0) {
    }
    std::unique_lock lock(mutex_);
    for (std::size_t i = 1; i < polled.size(); ++i) {
      const auto [number, station] = whose[i];
      Line& line = *lines_[number];
      const int now = station ? line.station_master : line.reader_master;
      if (polled[i].revents == 0 || now != polled[i].fd) continue;
      if ((polled[i].revents & POLLIN) != 0) take(number, station);
      if (line.station_master < 0) continue;
      flush(line.reader_master, line.to_reader);
      flush(line.station_master, line.to_station);
    }
    const auto calls = std::exchange(calls_, {});
    const auto call = call_;
    lock.unlock();
    for (const std::size_t number : calls) {
      if (call) call(number);
    }
  }
}

}  // namespace nightdrop::e2e
