// The simulated tamper circuit: latched, told once it happens and to whoever asks later, also by the next process.
#include "hal/sim/sim_tamper.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include <unistd.h>

namespace nightdrop::hal {
namespace {

struct SimTamperTest : testing::Test {
  ~SimTamperTest() override { std::filesystem::remove(file); }
  std::string file = testing::TempDir() + "tamper." + std::to_string(::getpid());
};

TEST_F(SimTamperTest, TellsWhenItIsSprungAndIsLatchedByThen) {
  SimTamper tamper(file);
  int told = 0;
  tamper.on_tamper([&] {
    ++told;
    EXPECT_TRUE(SimTamper(file).tampered()) << "a process that dies now comes back to it";
  });
  EXPECT_FALSE(tamper.tampered());
  EXPECT_EQ(told, 0);
  ASSERT_TRUE(tamper.spring().has_value());
  EXPECT_TRUE(tamper.tampered());
  EXPECT_EQ(told, 1);
}

TEST_F(SimTamperTest, ALatchedOneIsToldOfAtOnce) {
  ASSERT_TRUE(SimTamper(file).spring().has_value());
  SimTamper next(file);
  bool told = false;
  next.on_tamper([&] { told = true; });
  EXPECT_TRUE(told);
  ASSERT_TRUE(next.clear().has_value());
  EXPECT_FALSE(SimTamper(file).tampered());
}

TEST_F(SimTamperTest, ALatchThatCannotBeWrittenIsToldOfAllTheSame) {
  SimTamper tamper("/nowhere/at/all");
  bool told = false;
  tamper.on_tamper([&] { told = true; });
  EXPECT_FALSE(tamper.spring().has_value());
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace nightdrop::hal
