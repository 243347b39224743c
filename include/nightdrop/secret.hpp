// Memory for keys, PINs and card data: move-only, wiped on every exit, unprintable. SecretBytes lives on pages of its
// own that are locked and kept out of core dumps; Secret<N> is inline (processes that hold one also mlockall).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include <sys/mman.h>

namespace nightdrop {

inline void wipe(std::span<std::uint8_t> bytes) {
  if (!bytes.empty()) explicit_bzero(bytes.data(), bytes.size());
}

// Whether two byte strings are equal, in time that depends on their lengths alone.
inline bool equal_in_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

// N secret bytes, inline. Zero when made; zeroed when moved from and when destroyed.
template <std::size_t N>
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::span<const std::uint8_t, N> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes_); }

  std::span<const std::uint8_t, N> view() const { return bytes_; }
  std::span<std::uint8_t, N> writable() { return bytes_; }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

// A run-time number of secret bytes on locked pages of their own. Empty when moved from.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : size_(size) { allocate(); }
  explicit SecretBytes(std::span<const std::uint8_t> bytes) : size_(bytes.size()) {
    allocate();
    if (size_ != 0) std::memcpy(data_, bytes.data(), size_);
  }
  SecretBytes(SecretBytes&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        mapped_(std::exchange(other.mapped_, 0)) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      mapped_ = std::exchange(other.mapped_, 0);
    }
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { release(); }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::span<const std::uint8_t> view() const { return {data_, size_}; }
  std::span<std::uint8_t> writable() { return {data_, size_}; }
  // Shortens to `size` bytes and wipes the rest. Requires: size <= this->size().
  void truncate(std::size_t size) {
    wipe(writable().subspan(size));
    size_ = size;
  }

 private:
  void allocate() {
    if (size_ == 0) return;
    void* pages = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) std::abort();
    mapped_ = size_;
    mlock(pages, mapped_);  // best effort: RLIMIT_MEMLOCK may be small on a desktop
    madvise(pages, mapped_, MADV_DONTDUMP);
    data_ = static_cast<std::uint8_t*>(pages);
  }
  void release() {
    if (data_ == nullptr) return;
    wipe({data_, size_});
    munmap(data_, mapped_);
    data_ = nullptr;
    size_ = 0;
  }

  std::uint8_t* data_{nullptr};
  std::size_t size_{0};
  std::size_t mapped_{0};
};

}  // namespace nightdrop
