// A table that fits its width: columns are as wide as what they hold; when that is too much, elastic ones give way
// first, clipped or wrapped, and then the least important columns are left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nightdrop/result.hpp"
#include "report/text.hpp"

namespace nightdrop::report {

enum class Fit : std::uint8_t { Whole, Clip, Wrap };

struct Column {
  std::string title;
  bool align_right{false};
  Fit fit{Fit::Whole};
  std::size_t width_min{8};  // of Clip and Wrap
  int importance{100};       // the lowest goes first
};

struct Cell {
  std::string text;
  Tone tone{Tone::Plain};
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Requires: as many cells as columns. Ensures: their text is made printable.
  void row(std::vector<Cell> cells);
  bool empty() const { return rows_.empty(); }
  // Title line and rows, each ended by a line feed, without trailing spaces.
  std::string render(const Style& style) const;

 private:
  std::vector<std::size_t> shown_columns(std::size_t width) const;
  std::vector<std::size_t> widths(const std::vector<std::size_t>& shown, std::size_t width) const;
  std::size_t natural_width(std::size_t column) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace nightdrop::report
