// Fitting a table into a width, see table.hpp.
#include "report/table.hpp"

#include <algorithm>
#include <numeric>

namespace nightdrop::report {
namespace {

constexpr std::size_t gap = 2;

// The lines of one cell in a column of this width.
std::vector<std::string> lines_of(const std::string& text, const Column& column, std::size_t width) {
  if (column.fit == Fit::Wrap) return wrapped(text, width);
  return {clipped(text, width)};
}

void trim_right(std::string& line) {
  while (line.ends_with(' ')) line.pop_back();
}

}  // namespace

void Table::row(std::vector<Cell> cells) {
  ND_ASSERT(cells.size() == columns_.size());
  for (Cell& cell : cells) cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::size_t Table::natural_width(std::size_t column) const {
  std::size_t width = display_width(columns_[column].title);
  for (const auto& cells : rows_) width = std::max(width, display_width(cells[column].text));
  return width;
}

std::vector<std::size_t> Table::shown_columns(std::size_t width) const {
  std::vector<std::size_t> shown(columns_.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  const auto least = [this](std::size_t column) {
    const std::size_t natural = natural_width(column);
    return gap + (columns_[column].fit == Fit::Whole ? natural : std::min(natural, columns_[column].width_min));
  };
  while (shown.size() > 1) {
    std::size_t needed = 0;
    for (const std::size_t column : shown) needed += least(column);
    if (needed <= width + gap) break;
    shown.erase(
        std::ranges::min_element(shown, {}, [this](std::size_t column) { return columns_[column].importance; }));
  }
  return shown;
}

std::vector<std::size_t> Table::widths(const std::vector<std::size_t>& shown, std::size_t width) const {
  std::vector<std::size_t> all;
  std::size_t total = 0;
  for (const std::size_t column : shown) {
    all.push_back(natural_width(column));
    total += all.back() + gap;
  }
  while (total > width + gap) {  // the widest elastic column gives way, one by one
    std::size_t widest = all.size();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Column& column = columns_[shown[i]];
      if (column.fit == Fit::Whole || all[i] <= column.width_min) continue;
      if (widest == all.size() || all[i] > all[widest]) widest = i;
    }
    if (widest == all.size()) break;  // a very narrow terminal: it wraps by itself
    --all[widest];
    --total;
  }
  return all;
}

std::string Table::render(const Style& style) const {
  const auto shown = shown_columns(style.width);
  const auto width = widths(shown, style.width);
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Column& column = columns_[shown[i]];
    const bool last = i + 1 == shown.size();
    const std::string padded =
        column.align_right ? right(column.title, width[i]) : left(column.title, last ? 0 : width[i]);
    out += toned(padded, Tone::Strong, style) + (last ? "\n" : "  ");
  }
  for (const auto& cells : rows_) {
    std::vector<std::vector<std::string>> lines;
    std::size_t height = 1;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      lines.push_back(lines_of(cells[shown[i]].text, columns_[shown[i]], width[i]));
      height = std::max(height, lines.back().size());
    }
    for (std::size_t k = 0; k < height; ++k) {
      std::string line;
      for (std::size_t i = 0; i < shown.size(); ++i) {
        const std::string text = k < lines[i].size() ? lines[i][k] : std::string();
        const std::size_t fill = width[i] - std::min(width[i], display_width(text));
        const std::string tinted = toned(text, cells[shown[i]].tone, style);
        line += columns_[shown[i]].align_right ? std::string(fill, ' ') + tinted : tinted + std::string(fill, ' ');
        if (i + 1 < shown.size()) line += "  ";
      }
      trim_right(line);
      out += line + '\n';
    }
  }
  return out;
}

}  // namespace nightdrop::report
