// orders.csv as spreadsheets write it, and mistakes that are named by line and column.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keys/line/orders.hpp"

namespace nightdrop::keys {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string refusal(std::string_view text) {
  const auto rows = parse_orders(text, "in/orders.csv");
  return rows ? "taken" : rows.error().message;
}

TEST(Orders, rows_are_read_whatever_the_order_of_columns) {
  const auto rows = parse_orders(
      "connect,serial_number,merchant_id,policy\r\n"
      "serial:/dev/ttyACM0,ND000001,m_1,\r\n"
      "\"unix:/run/a,b\"\"c\",ND000002,m_2,own.json\r\n",
      "in/orders.csv");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[0].order.serial_number, "ND000001");
  EXPECT_EQ((*rows)[0].order.connection, "serial:/dev/ttyACM0");
  EXPECT_EQ((*rows)[0].order.name, "orders.csv");
  EXPECT_EQ((*rows)[1].order.connection, "unix:/run/a,b\"c");
  EXPECT_EQ((*rows)[1].order.merchant, "m_2");
  EXPECT_EQ((*rows)[1].policy_file, "own.json");
  EXPECT_EQ((*rows)[1].line, 3U);
}

TEST(Orders, a_byte_order_mark_blank_lines_and_no_last_line_feed_are_no_mistakes) {
  const auto rows =
      parse_orders("\xEF\xBB\xBFserial_number,merchant_id,connect\n\nA,m,tcp:127.0.0.1:9\n\nB,m,unix:b", "o");
  ASSERT_TRUE(rows) << rows.error().message;
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[1].line, 5U);
  EXPECT_EQ((*rows)[1].order.connection, "unix:b");
}

TEST(Orders, a_factory_key_is_compared_in_lower_case) {
  const auto rows =
      parse_orders("serial_number,merchant_id,connect,factory_key\nA,m,unix:a," + std::string(64, 'A'), "o");
  ASSERT_TRUE(rows) << rows.error().message;
  EXPECT_EQ((*rows)[0].order.factory_key, std::string(64, 'a'));
}

TEST(Orders, every_mistake_is_named_by_line_and_column) {
  const std::string text = refusal(
      "serial_number,merchant_id,connect,factory_key\n"
      "../x,m,unix:a,\n"
      "A,m m,unix:b,\n"
      "B,m,http://c,\n"
      "C,m,unix:d,12\n"
      "D,m,unix:e\n"
      "E,m,\"unix:f\n\",\n"
      "E,m,unix:g,\n"
      "F,m,unix:g,\n"
      "G,m,\"unix:h\"x,\n"
      "H,m,uni\"x:i,\n");
  EXPECT_THAT(text, HasSubstr("in/orders.csv:2: serial_number: must be"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:3: merchant_id: must be"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:4: connect: must be"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:5: factory_key: must be"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:6: has 3 fields where the header has 4"));
  EXPECT_THAT(text, Not(HasSubstr("in/orders.csv:7: "))) << "a line feed inside quotes is a field's";
  EXPECT_THAT(text, HasSubstr("in/orders.csv:9: serial_number: is in line 7 already"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:11: text after a closing quote"));
  EXPECT_THAT(text, HasSubstr("in/orders.csv:12: a quote inside a field"));
}

TEST(Orders, a_connection_is_used_once) {
  EXPECT_THAT(refusal("serial_number,merchant_id,connect\nA,m,unix:a\nB,m,unix:a\n"),
              HasSubstr("orders.csv:3: connect: is in line 2 already"));
}

TEST(Orders, the_header_is_checked_too) {
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("serial_number,connect\n"), HasSubstr("merchant_id: is missing"));
  EXPECT_THAT(refusal("serial_number,merchant_id,connect,price\n"), HasSubstr("column 4"));
  EXPECT_THAT(refusal("serial_number,merchant_id,connect,connect\n"), HasSubstr("connect: twice"));
  EXPECT_THAT(refusal("serial_number,merchant_id,connect\nA,m,\"unix:a\n"), HasSubstr("not closed"));
}

TEST(Orders, a_wall_of_mistakes_is_cut) {
  std::string text = "serial_number,merchant_id,connect\n";
  for (int i = 0; i < 50; ++i) text += "/,m,unix:a\n";
  EXPECT_THAT(refusal(text), HasSubstr("and 30 more"));
}

}  // namespace
}  // namespace nightdrop::keys
