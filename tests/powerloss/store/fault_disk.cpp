// The VFS that loses power. See fault_disk.hpp.
#include "fault_disk.hpp"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#ifndef SQLITE_HAS_CODEC
#define SQLITE_HAS_CODEC
#endif
#include <sqlcipher/sqlite3.h>

namespace nightdrop::test {
namespace {

constexpr std::int64_t sector = 512;

struct File {
  sqlite3_file base;  // first, as SQLite wants it
  FaultDisk* disk;
  std::string* path;
  sqlite3_file* real;  // for the locks
};

File& self(sqlite3_file* file) {
  return *static_cast<File*>(static_cast<void*>(file));
}

void apply_change(std::vector<std::uint8_t>& to, const FaultDisk::Change& change) {
  if (change.truncation) {
    to.resize(static_cast<std::size_t>(change.at));
    return;
  }
  const auto end = static_cast<std::size_t>(change.at) + change.bytes.size();
  if (to.size() < end) to.resize(end);
  std::copy(change.bytes.begin(), change.bytes.end(), to.begin() + change.at);
}

std::vector<std::uint8_t> load(const std::string& path) {
  std::vector<std::uint8_t> bytes;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return bytes;
  const off_t size = ::lseek(fd, 0, SEEK_END);
  bytes.resize(static_cast<std::size_t>(size));
  if (::pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) bytes.clear();
  ::close(fd);
  return bytes;
}

void save(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  ::close(fd);
}

int close_file(sqlite3_file* base) {
  File& file = self(base);
  auto& content = file.disk->content(*file.path);
  if (--content.users == 0 && content.unsynced.empty()) file.disk->drop(*file.path);
  const int code = file.real->pMethods->xClose(file.real);
  sqlite3_free(file.real);
  delete file.path;
  return code;
}

int read_file(sqlite3_file* base, void* out, int amount, sqlite3_int64 at) {
  File& file = self(base);
  if (file.disk->dead()) return SQLITE_IOERR_READ;
  const auto& view = file.disk->content(*file.path).view;
  const auto size = static_cast<std::int64_t>(view.size());
  const auto wanted = static_cast<std::size_t>(amount);
  const auto there = static_cast<std::size_t>(std::clamp<std::int64_t>(size - at, 0, amount));
  if (there != 0) std::memcpy(out, view.data() + at, there);
  if (there == wanted) return SQLITE_OK;
  std::memset(static_cast<char*>(out) + there, 0, wanted - there);
  return SQLITE_IOERR_SHORT_READ;
}

int change_file(File& file, FaultDisk::Change change) {
  auto& content = file.disk->content(*file.path);
  // In flight when the power goes: part of it may reach the disk, like everything else that was not synced.
  content.unsynced.push_back(change);
  if (const int code = file.disk->operation(); code != SQLITE_OK) {
    if (!file.disk->dead()) content.unsynced.pop_back();
    return code;
  }
  apply_change(content.view, change);
  return SQLITE_OK;
}

int write_file(sqlite3_file* base, const void* data, int amount, sqlite3_int64 at) {
  if (self(base).disk->dead()) return SQLITE_IOERR_WRITE;
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  return change_file(self(base), {false, at, {bytes, bytes + amount}});
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
  if (self(base).disk->dead()) return SQLITE_IOERR_TRUNCATE;
  return change_file(self(base), {true, size, {}});
}

int sync_file(sqlite3_file* base, int) {
  File& file = self(base);
  if (file.disk->dead()) return SQLITE_IOERR_FSYNC;
  if (const int code = file.disk->operation(); code != SQLITE_OK)
    return code == SQLITE_FULL ? SQLITE_IOERR_FSYNC : code;
  file.disk->settle(*file.path, file.disk->content(*file.path));
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* base, sqlite3_int64* size) {
  File& file = self(base);
  *size = static_cast<sqlite3_int64>(file.disk->content(*file.path).view.size());
  return SQLITE_OK;
}

int lock_file(sqlite3_file* base, int level) {
  return self(base).real->pMethods->xLock(self(base).real, level);
}
int unlock_file(sqlite3_file* base, int level) {
  return self(base).real->pMethods->xUnlock(self(base).real, level);
}
int check_lock(sqlite3_file* base, int* held) {
  return self(base).real->pMethods->xCheckReservedLock(self(base).real, held);
}
int control(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}
int sector_size(sqlite3_file*) {
  return sector;
}
int characteristics(sqlite3_file* base) {
  return self(base).disk->plan().safe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

constexpr sqlite3_io_methods methods = {1,         close_file,   read_file,       write_file,  truncate_file,
                                        sync_file, size_of_file, lock_file,       unlock_file, check_lock,
                                        control,   sector_size,  characteristics, nullptr,     nullptr,
                                        nullptr,   nullptr,      nullptr,         nullptr};

FaultDisk& disk_of(sqlite3_vfs* vfs) {
  return *static_cast<FaultDisk*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* base, int flags, int* out_flags) {
  FaultDisk& disk = disk_of(vfs);
  base->pMethods = nullptr;
  if (disk.dead() || name == nullptr) return SQLITE_CANTOPEN;
  auto* real = static_cast<sqlite3_file*>(sqlite3_malloc(disk.system()->szOsFile));
  std::memset(real, 0, static_cast<std::size_t>(disk.system()->szOsFile));
  if (const int code = disk.system()->xOpen(disk.system(), name, real, flags, out_flags); code != SQLITE_OK) {
    sqlite3_free(real);
    return code;
  }
  File& file = self(base);
  file.disk = &disk;
  file.path = new std::string(name);
  file.real = real;
  auto& content = disk.content(name);
  if (content.users++ == 0 && content.unsynced.empty()) content.view = load(name);
  base->pMethods = &methods;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync) {
  FaultDisk& disk = disk_of(vfs);
  if (disk.dead()) return SQLITE_IOERR_DELETE;
  if (const int code = disk.operation(); code != SQLITE_OK) return SQLITE_IOERR_DELETE;
  disk.drop(name);
  return disk.system()->xDelete(disk.system(), name, sync);
}

int access_file(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  return disk_of(vfs).system()->xAccess(disk_of(vfs).system(), name, flags, result);
}
int full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return disk_of(vfs).system()->xFullPathname(disk_of(vfs).system(), name, size, out);
}
int random_bytes(sqlite3_vfs* vfs, int size, char* out) {
  return disk_of(vfs).system()->xRandomness(disk_of(vfs).system(), size, out);
}
int no_sleep(sqlite3_vfs*, int) {
  return 0;
}
int current_time(sqlite3_vfs* vfs, double* now) {
  return disk_of(vfs).system()->xCurrentTime(disk_of(vfs).system(), now);
}
int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

}  // namespace

FaultDisk::FaultDisk(std::string name, Plan plan)
    : name_(std::move(name)), plan_(plan), system_(sqlite3_vfs_find(nullptr)), vfs_(std::make_unique<sqlite3_vfs>()) {
  *vfs_ = {};
  vfs_->iVersion = 1;
  vfs_->szOsFile = sizeof(File);
  vfs_->mxPathname = system_->mxPathname;
  vfs_->zName = name_.c_str();
  vfs_->pAppData = this;
  vfs_->xOpen = open_file;
  vfs_->xDelete = delete_file;
  vfs_->xAccess = access_file;
  vfs_->xFullPathname = full_path;
  vfs_->xRandomness = random_bytes;
  vfs_->xSleep = no_sleep;
  vfs_->xCurrentTime = current_time;
  vfs_->xGetLastError = last_error;
  sqlite3_vfs_register(vfs_.get(), 0);
}

FaultDisk::~FaultDisk() {
  sqlite3_vfs_unregister(vfs_.get());
}

int FaultDisk::operation() {
  ++operations_;
  if (plan_.cut_at != 0 && operations_ == plan_.cut_at) {
    lose_power();
    return SQLITE_IOERR;
  }
  if (plan_.full_from != 0 && operations_ >= plan_.full_from &&
      (plan_.full_until == 0 || operations_ < plan_.full_until))
    return SQLITE_FULL;
  if (plan_.fail_at != 0 && operations_ == plan_.fail_at) return SQLITE_IOERR;
  return SQLITE_OK;
}

void FaultDisk::settle(const std::string& path, Content& content) {
  if (content.unsynced.empty()) return;
  content.unsynced.clear();
  save(path, content.view);
}

void FaultDisk::lose_power() {
  dead_ = true;
  std::mt19937 random(plan_.seed * 7919U + static_cast<std::uint32_t>(plan_.cut_at));
  const auto reaches_disk = [&] {
    return plan_.unsynced == Unsynced::Kept || (plan_.unsynced == Unsynced::Torn && random() % 2 == 0);
  };
  for (auto& [path, content] : files_) {
    if (content.unsynced.empty() || plan_.unsynced == Unsynced::Dropped) continue;
    std::vector<std::uint8_t> disk = load(path);
    for (const Change& change : content.unsynced) {
      if (change.truncation) {
        if (reaches_disk()) apply_change(disk, change);
        continue;
      }
      const auto end = change.at + static_cast<std::int64_t>(change.bytes.size());
      for (std::int64_t at = change.at; at < end;) {  // sector by sector, each on its own
        const std::int64_t next = std::min(end, (at / sector + 1) * sector);
        if (reaches_disk())
          apply_change(
              disk, {false, at, {change.bytes.begin() + (at - change.at), change.bytes.begin() + (next - change.at)}});
        at = next;
      }
    }
    save(path, disk);
  }
}

}  // namespace nightdrop::test
