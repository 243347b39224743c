// The write-ahead log, frame by frame. See wal.hpp.
#include "store/wal.hpp"

#include <array>
#include <cstring>
#include <fstream>
#include <span>
#include <vector>

namespace nightdrop::store {
namespace {

constexpr std::size_t header_size = 32;
constexpr std::size_t frame_header = 24;
constexpr std::uint32_t default_page = 4096;

using Span = std::span<const std::uint8_t>;

std::uint32_t big(Span bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at]) << 24 | static_cast<std::uint32_t>(bytes[at + 1]) << 16 |
         static_cast<std::uint32_t>(bytes[at + 2]) << 8 | bytes[at + 3];
}
void put_big(std::span<std::uint8_t> bytes, std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
}

struct Checksum {
  std::uint32_t a{0}, b{0};
  bool big_endian{false};
  void add(Span bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      a += word(bytes, at) + b;
      b += word(bytes, at + 4) + a;
    }
  }
  std::uint32_t word(Span bytes, std::size_t at) const {
    const std::uint32_t value = big(bytes, at);
    return big_endian ? value : __builtin_bswap32(value);
  }
  bool stored_at(Span bytes, std::size_t at) const { return big(bytes, at) == a && big(bytes, at + 4) == b; }
};

std::uint64_t salts_at(Span bytes, std::size_t at) {
  return static_cast<std::uint64_t>(big(bytes, at)) << 32 | big(bytes, at + 4);
}

template <class Stream>
bool read_exactly(Stream& file, std::span<std::uint8_t> out) {
  std::vector<char> buffer(out.size());
  if (!file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()))) return false;
  std::memcpy(out.data(), buffer.data(), out.size());
  return true;
}

struct Header {
  std::array<std::uint8_t, header_size> bytes{};
  bool valid{false};
  std::uint32_t page{default_page};
  std::uint64_t salts{0};
  Checksum sum;
};

template <class Stream>
std::optional<Header> read_header(Stream& file) {
  Header header;
  if (!read_exactly(file, header.bytes)) return std::nullopt;
  const std::uint32_t magic = big(header.bytes, 0);
  header.sum.big_endian = magic == 0x377F0683U;
  header.sum.add(Span(header.bytes).first(24));
  header.valid = (magic & ~1U) == 0x377F0682U && header.sum.stored_at(header.bytes, 24);
  if (header.valid) header.page = big(header.bytes, 8);
  header.salts = salts_at(header.bytes, 16);
  return header;
}

// What of the log is of one generation: the header's own salts when it is whole, else the mark's.
std::optional<std::uint64_t> generation(const Header& header, const std::optional<Mark>& mark) {
  if (header.valid) return header.salts;
  if (mark && mark->frames > 0) return mark->salts;
  return std::nullopt;
}

}  // namespace

WalState inspect_wal(const std::filesystem::path& path, const std::optional<Mark>& mark) {
  WalState state;
  std::ifstream file(path, std::ios::binary);
  auto header = read_header(file);
  if (!header) return state;
  const auto salts = generation(*header, mark);
  if (!salts) return state;
  const std::uint64_t acknowledged = mark && mark->salts == *salts ? mark->frames : 0;

  bool chain = header->valid;
  bool commit_behind = false;       // a commit frame behind the first bad one
  std::uint32_t commit_page = 0;    // of its page: SQLite may repeat a commit frame, once, to fill a sector
  bool transaction_behind = false;  // and frames of a later transaction behind that
  Checksum sum = header->sum;
  std::vector<std::uint8_t> frame(frame_header + header->page);
  for (std::uint64_t n = 1; read_exactly(file, frame); ++n) {
    const bool ours = salts_at(frame, 8) == *salts && big(frame, 0) != 0;  // a torn header is zeros in part
    const bool commits = big(frame, 4) != 0;
    if (chain) {
      sum.add(Span(frame).first(8));
      sum.add(Span(frame).subspan(frame_header));
      chain = ours && sum.stored_at(frame, 16);
      if (chain && commits) {
        state.valid = state.committed = n;
        commit_page = big(frame, 0);
      }
      if (chain) continue;
      // The repetition's end is not synced: its being torn proves nothing.
      if (ours && commits && n == state.valid + 1 && big(frame, 0) == commit_page) continue;
    }
    if (ours) {
      if (commit_behind && big(frame, 0) != commit_page) transaction_behind = true;
      if (commits) {
        commit_behind = true;
        commit_page = big(frame, 0);
        state.committed = n;
      }
    }
    if (n == acknowledged && state.committed < n) state.committed = n;
  }
  state.damaged = state.valid < acknowledged || transaction_behind;
  return state;
}

Result<void> repair_wal(const std::filesystem::path& copy, const std::optional<Mark>& mark) {
  const WalState state = inspect_wal(copy, mark);
  std::fstream file(copy, std::ios::binary | std::ios::in | std::ios::out);
  auto header = read_header(file);
  if (!header) return failure(Errc::Corrupt, "the queue's log has no header");
  const auto salts = generation(*header, mark);
  if (!salts) return failure(Errc::Corrupt, "the queue's log has no header");
  if (!header->valid) {
    put_big(header->bytes, 0, 0x377F0682U);
    put_big(header->bytes, 4, 3007000);
    put_big(header->bytes, 8, default_page);
    put_big(header->bytes, 16, static_cast<std::uint32_t>(*salts >> 32));
    put_big(header->bytes, 20, static_cast<std::uint32_t>(*salts));
    header->sum = {};
    header->sum.add(Span(header->bytes).first(24));
    put_big(header->bytes, 24, header->sum.a);
    put_big(header->bytes, 28, header->sum.b);
  }
  const auto write = [&](std::uint64_t at, Span bytes) {
    const std::vector<char> out(bytes.begin(), bytes.end());
    file.seekp(static_cast<std::streamoff>(at));
    file.write(out.data(), static_cast<std::streamsize>(out.size()));
  };
  write(0, header->bytes);
  Checksum sum = header->sum;
  std::vector<std::uint8_t> frame(frame_header + header->page);
  for (std::uint64_t n = 1; n <= state.committed; ++n) {
    const std::uint64_t at = header_size + (n - 1) * frame.size();
    file.seekg(static_cast<std::streamoff>(at));
    if (!read_exactly(file, frame)) break;
    put_big(frame, 8, static_cast<std::uint32_t>(*salts >> 32));
    put_big(frame, 12, static_cast<std::uint32_t>(*salts));
    sum.add(Span(frame).first(8));
    sum.add(Span(frame).subspan(frame_header));
    put_big(frame, 16, sum.a);
    put_big(frame, 20, sum.b);
    write(at, frame);
  }
  file.close();
  if (file.fail()) return failure(Errc::Io, "the copy of the queue's log could not be written");
  std::error_code failed;
  std::filesystem::resize_file(copy, header_size + state.committed * frame.size(), failed);
  if (failed) return std::unexpected(os_error(failed.value(), "the copy of the queue's log could not be cut"));
  return {};
}

}  // namespace nightdrop::store
