#include "learn/schedule.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>

using namespace troupe::learn;

namespace {

schedule_options parse(const std::string& text) {
  const auto options = parse_schedule(text);
  INFO(text);
  REQUIRE(options);
  return *options;
}

bool near(float a, double b) {
  return std::fabs(a - b) <= 1e-7 * std::fabs(b);
}

} // namespace

TEST_CASE("a constant schedule never changes the rate", "[learn]") {
  const auto s = parse("constant");
  for (const uint64_t step : {0u, 1u, 1000000u})
    CHECK(learning_rate(s, 0.1f, step) == 0.1f);
}

TEST_CASE("a warm-up rises linearly and reaches the rate with its last step", "[learn]") {
  const auto s = parse("warmup:4,constant");
  CHECK(near(learning_rate(s, 0.4f, 0), 0.1));
  CHECK(near(learning_rate(s, 0.4f, 1), 0.2));
  CHECK(learning_rate(s, 0.4f, 3) == 0.4f);
  CHECK(learning_rate(s, 0.4f, 4) == 0.4f);
}

TEST_CASE("a step schedule multiplies the rate every so many steps", "[learn]") {
  const auto s = parse("step:10");
  CHECK(learning_rate(s, 1, 9) == 1);
  CHECK(near(learning_rate(s, 1, 10), 0.1));
  CHECK(near(learning_rate(s, 1, 29), 0.01));
  const auto half = parse("warmup:2,step:3:0.5");
  CHECK(half.warmup_steps == 2);
  CHECK(half.step_every == 3);
  CHECK(learning_rate(half, 1, 0) == 0.5f);
  CHECK(learning_rate(half, 1, 2) == 1);
  CHECK(learning_rate(half, 1, 3) == 0.5f);
  CHECK(learning_rate(half, 1, 6) == 0.25f);
}

TEST_CASE("a cosine schedule starts at the rate after the warm-up and ends at zero", "[learn]") {
  auto s = parse("warmup:10,cosine");
  s.total_steps = 110;
  CHECK(learning_rate(s, 2, 9) == 2);
  CHECK(learning_rate(s, 2, 10) == 2);
  CHECK(near(learning_rate(s, 2, 60), 1));
  CHECK(near(learning_rate(s, 2, 35), 1 + std::sqrt(0.5)));
  CHECK(learning_rate(s, 2, 109) > 0);
  CHECK(learning_rate(s, 2, 110) == 0);
  CHECK(learning_rate(s, 2, 1000) == 0);
}

TEST_CASE("a schedule that cannot be read is refused with the reason and the right spelling", "[learn]") {
  const std::string spelling =
    "; write constant, cosine or step:EVERY[:FACTOR], optionally after warmup:STEPS and a comma";
  const auto refusal = [](const std::string& text) {
    const auto options = parse_schedule(text);
    return options ? "accepted" : options.error().sentence;
  };
  CHECK(refusal("linear") == "cannot read schedule 'linear': there is no shape 'linear'" + spelling);
  CHECK(refusal("") == "cannot read schedule '': there is no shape ''" + spelling);
  for (const char* text : {"step:0", "step:", "step:x", "step:-1", "step:3x"})
    CHECK(refusal(text) ==
          "cannot read schedule '" + std::string(text) + "': EVERY is not a positive number of steps" + spelling);
  for (const char* text : {"step:3:", "step:3:0", "step:3:-1", "step:3:nan", "step:3:inf", "step:3:0.1x"})
    CHECK(refusal(text) ==
          "cannot read schedule '" + std::string(text) + "': FACTOR is not a positive number" + spelling);
  CHECK(refusal("warmup:5") == "cannot read schedule 'warmup:5': no shape follows the warm-up" + spelling);
  for (const char* text : {"warmup:0,cosine", "warmup:,cosine", "warmup:1.5,cosine"})
    CHECK(refusal(text) ==
          "cannot read schedule '" + std::string(text) + "': the warm-up is not a positive number of steps" + spelling);
}
