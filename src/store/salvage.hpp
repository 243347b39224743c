// What a salvage has found so far, and the two ways to read a damaged file: along its trees, and leaf by leaf.
//
// Along the trees a bad page ends the walk, and a bad root hides everything. Leaf by leaf a table's entry in the schema
// is pointed at one page after another, so that SQLite reads each as a table of its own; what comes out is believed
// only where it proves itself (a payment's number is made from its id, an event names its own sequence).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/database.hpp"
#include "store/head.hpp"

namespace nightdrop::store {

struct Salvage {
  Database from;
  bool from_copy{false};     // `from` is the copy and may be bent
  std::optional<Head> head;  // of the damaged file, if it could be read
  std::int64_t carried{0};
  std::int64_t lost{0};
  std::set<std::string, std::less<>> cards;  // keys of the counters that were carried
  std::set<std::int64_t> payments;           // numbers of the payments that were carried
  std::set<std::int64_t> events;
  std::optional<std::map<std::int64_t, std::vector<std::uint8_t>>> slots;  // of envelopes, once they had to be swept up
};

// Every row of a statement up to its end or the first that cannot be read; true when the end was reached.
template <class Take>
bool walk(Database& from, const std::string& sql, const Take& take) {
  auto query = from.once(sql);
  if (!query) return false;
  for (;;) {
    auto more = query->step();
    if (!more) return false;
    if (!*more) return true;
    take(*query);
  }
}

// A table from both ends: `columns` of `table` in the order of `key`; rows may come twice when the middle is damaged.
template <class Take>
bool walk_both(Database& from, const std::string& columns, const std::string& table, const std::string& key,
               const Take& take) {
  const std::string sql = "SELECT " + columns + " FROM " + table + " NOT INDEXED ORDER BY " + key;
  return walk(from, sql, take) || (walk(from, sql + " DESC", take), false);
}

// Every row that any page holds, read as a row of `table`. Leaves the file as it was.
template <class Take>
void sweep(Database& copy, const std::string& columns, const std::string& table, const Take& take) {
  const auto pages = copy.number("PRAGMA page_count");
  const auto version = copy.number("PRAGMA schema_version");
  if (!pages || !version || !copy.execute("PRAGMA writable_schema=ON")) return;
  for (std::int64_t page = 2; page <= *pages; ++page) {  // a transaction each: a bad page ends the one that meets it
    const std::string bend = "BEGIN IMMEDIATE; UPDATE sqlite_schema SET rootpage = " + std::to_string(page) +
                             " WHERE type = 'table' AND name = '" + table +
                             "'; PRAGMA schema_version = " + std::to_string(*version + page);
    if (copy.execute(bend.c_str())) walk(copy, "SELECT " + columns + " FROM " + table + " NOT INDEXED", take);
    [[maybe_unused]] const auto undone = copy.execute("ROLLBACK");
  }
}

}  // namespace nightdrop::store
