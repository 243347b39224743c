// Labels: what the code holds, that picture and modules are the same, and that an order's text cannot break out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <png.h>

#include "json/json.hpp"
#include "keys/line/label.hpp"
#include "keys/line/progress.hpp"

namespace nightdrop::keys {
namespace {

using testing::HasSubstr;
using testing::Not;

const LabelText label{"ND000001", "m_1", std::string(64, 'c')};

TEST(Label, holds_the_serial_number_and_the_certificates_digest) {
  const auto content = Json::parse(label_content(label));
  ASSERT_TRUE(content);
  EXPECT_EQ((*content)["serial_number"].string(), "ND000001");
  EXPECT_EQ((*content)["certificate_sha256"].string(), label.certificate_sha256);
}

TEST(Label, the_picture_shows_the_modules_in_a_quiet_zone) {
  const auto code = make_qr_code(label_content(label));
  ASSERT_TRUE(code);
  ASSERT_GE(code->width, 21);
  // The finder pattern in the corner: dark ring, light ring, dark middle.
  EXPECT_TRUE(code->at(0, 0) && code->at(6, 0) && code->at(3, 3));
  EXPECT_FALSE(code->at(1, 1) || code->at(7, 7));
  const auto png = label_png(*code);
  ASSERT_TRUE(png);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  ASSERT_EQ(png_image_begin_read_from_memory(&image, png->data(), png->size()), 1);
  image.format = PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  ASSERT_EQ(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr), 1);
  const auto side = static_cast<std::size_t>(image.width);
  ASSERT_EQ(side, static_cast<std::size_t>(code->width + 8) * 8);
  for (int y = -4; y < code->width + 4; ++y) {
    for (int x = -4; x < code->width + 4; ++x) {
      const bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
      const std::size_t at =
          static_cast<std::size_t>((y + 4) * 8 + 4) * side + static_cast<std::size_t>((x + 4) * 8 + 4);
      ASSERT_EQ(pixels[at] == 0, inside && code->at(x, y)) << x << ',' << y;
    }
  }
}

TEST(Label, text_is_escaped_for_each_format) {
  const LabelText odd{"A<\"&^FS~_", "m^XZ", std::string(64, 'c')};
  const auto code = make_qr_code(label_content(odd));
  ASSERT_TRUE(code);
  EXPECT_THAT(label_svg(*code, odd), HasSubstr("A&lt;&quot;&amp;^FS~_"));
  const std::string zpl = label_zpl(odd);
  EXPECT_THAT(zpl, Not(HasSubstr("m^XZ")));
  EXPECT_THAT(zpl, HasSubstr("m_5EXZ"));
  EXPECT_THAT(zpl, HasSubstr("_7E_5F")) << "~ and _ themselves";
}

TEST(Label, a_text_too_long_for_any_code_is_refused) {
  EXPECT_FALSE(make_qr_code(std::string(5000, 'x')));
}

TEST(Progress, tells_rate_and_time_left) {
  EXPECT_EQ(progress_text(0, 0, 200, std::chrono::seconds(0)), "[------------------------]   0/200  0.0/s  -:-- left");
  EXPECT_EQ(progress_text(50, 2, 200, std::chrono::seconds(10)),
            "[######------------------]  50/200  5.0/s  0:30 left  2 aside");
  EXPECT_EQ(progress_text(8, 0, 8, std::chrono::seconds(4)), "[########################] 8/8  2.0/s  0:00 left");
}

}  // namespace
}  // namespace nightdrop::keys
