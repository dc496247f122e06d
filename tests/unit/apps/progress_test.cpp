#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <cmath>
#include <limits>

#include "apps/troupe/progress.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace troupe::command;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

namespace {

step_progress at_step(uint64_t step) {
  return {.step = step,
          .steps_total = 300,
          .epoch = 2,
          .epochs = 3,
          .loss = 0.12345,
          .accuracy = 0.961,
          .samples_per_second = 12345.4,
          .samples = step * 128};
}

/// What a display with a clock of the test's own has written after `use`.
template <class Use>
std::string shown(progress_style style, Use use) {
  const test::temporary_folder folder;
  const auto path = folder / "out";
  style.out = std::fopen(path.c_str(), "w");
  double now = 0;
  {
    progress display(style, [&] { return now; });
    use(display, now);
  }
  std::fclose(style.out);
  return test::text_of(path);
}

} // namespace

TEST_CASE("numbers have commas every three digits") {
  CHECK(with_commas(0) == "0");
  CHECK(with_commas(999) == "999");
  CHECK(with_commas(1000) == "1,000");
  CHECK(with_commas(1234567) == "1,234,567");
}

TEST_CASE("times read as on a clock") {
  CHECK(clock_time(0) == "0:00");
  CHECK(clock_time(59.6) == "1:00");
  CHECK(clock_time(3599) == "59:59");
  CHECK(clock_time(3723) == "1:02:03");
  CHECK(clock_time(-1) == "?");
  CHECK(clock_time(std::numeric_limits<double>::quiet_NaN()) == "?");
  CHECK(clock_time(std::numeric_limits<double>::infinity()) == "?");
}

TEST_CASE("the time left follows the pace so far") {
  CHECK(seconds_left(10, 30, 5) == 15.0);
  CHECK(seconds_left(10, 0, 5) == 0.0);
  CHECK(std::isnan(seconds_left(0, 30, 5)));
}

TEST_CASE("a step's line has epoch, step, loss, accuracy, speed and time left") {
  CHECK(step_line(at_step(137), 5.2) ==
        "epoch 2/3  step 137/300  loss 0.1235  accuracy 96.1 %  12,345 samples/s  0:05 left");
  auto first = at_step(1);
  first.samples_per_second = 0;
  CHECK(step_line(first, 5.2) == "epoch 2/3  step 1/300  loss 0.1235  accuracy 96.1 %");
}

TEST_CASE("an epoch's line has the test accuracy") {
  CHECK(epoch_line({.epoch = 2, .test_accuracy = 0.972, .test_loss = 0.0911, .seconds = 12}, 3) ==
        "epoch 2/3  test accuracy 97.20 %  test loss 0.0911  after 0:12");
}

TEST_CASE("in a pipe there is a line for the first step, one every two seconds, and one for the last") {
  const auto text = shown({.live = false}, [](progress& display, double& now) {
    for (uint64_t step = 1; step <= 300; ++step) {
      now = 0.01 * static_cast<double>(step);
      display.show(at_step(step));
    }
  });
  CHECK_THAT(text,
             ContainsSubstring("step 1/300") && ContainsSubstring("step 201/300") && ContainsSubstring("step 300/300"));
  CHECK(std::ranges::count(text, '\n') == 3);
  CHECK_THAT(text, !ContainsSubstring("\r"));
}

TEST_CASE("on a terminal one line is rewritten, cut to the width, and makes way for other lines") {
  const auto text = shown({.live = true, .columns = 40}, [](progress& display, double& now) {
    display.show(at_step(1));
    now = 0.05;
    display.show(at_step(2)); // too soon
    now = 0.2;
    display.show(at_step(3));
    display.say("a note");
  });
  const auto line = [](uint64_t step) { return step_line(at_step(step), 0).substr(0, 39); };
  CHECK(text == "\r\x1b[K" + line(1) + "\r\x1b[K" + line(3) + "\r\x1b[K" + "a note\n");
}

TEST_CASE("a quiet display writes nothing") {
  CHECK(shown({.live = true, .quiet = true}, [](progress& display, double&) {
          display.show(at_step(1));
          display.show(epoch_progress{.epoch = 1});
          display.say("a note");
        }).empty());
}

TEST_CASE("the closing line says why the run ended and how to go on") {
  job_options job;
  job.checkpoint = "kept";
  job_report report;
  report.reason = stop_reason::interrupted;
  report.steps = 1200;
  report.seconds = 3.21;
  report.samples_per_second = 4600;
  report.test_accuracy = {0.9, 0.975};
  report.weights_sha256 = "ab12";
  const auto line = closing_line(job, report);
  CHECK_THAT(line, ContainsSubstring("interrupted after 1,200 steps in 3.2 s  4,600 samples/s  test accuracy 97.50 %"));
  CHECK_THAT(line, ContainsSubstring("weights sha256 ab12"));
  CHECK_THAT(line, ContainsSubstring("checkpoint written to kept: add --resume to go on from it"));
  report.reason = stop_reason::epochs_done;
  CHECK_THAT(closing_line(job, report), StartsWith("done after 1,200 steps") && !ContainsSubstring("--resume"));
}
