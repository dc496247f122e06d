#pragma once

#include <fstream>
#include <map>
#include <sstream>

#include "tests/apps/command.hpp"

namespace troupe::test {

/// A run that goes on until it is told to stop, so that faults find it at work however fast this machine is. A test
/// waits for what happens in it, by its events.
class endless_run {
public:
  /// Much longer than anything takes.
  static constexpr auto patience = std::chrono::seconds{60};

  /// More than there ever come to be. For a `long_job`.
  static constexpr int endless = 10'000'000;
  static inline const words options{"--events", "events.jsonl", "--ledger", "ledger", "--schedule", "constant"};

  /// `start`: the words of a `long_job` of so many steps, with these options.
  endless_run(const words& start, const temporary_folder& folder) : folder_(folder), run_(start, folder.path()) {
    const auto works = gets_on();
    INFO(run_.err());
    REQUIRE(works);
  }

  /// Whether so many more steps come to be committed.
  bool gets_on(uint64_t steps = 20) {
    read();
    return comes_true([&, to = steps_ + steps] { return steps_ >= to; });
  }

  /// Whether there comes to be such an event behind those that were waited for.
  bool sees(const std::string& event, const std::string& who) {
    return comes_true([&] {
      for (; seen_ < events_.size(); ++seen_)
        if (events_[seen_]["event"] == event && events_[seen_].value("who", "") == who) {
          ++seen_;
          return true;
        }
      return false;
    });
  }

  /// Whether a view with this member comes to be the newest.
  bool takes_in(const std::string& who) {
    return comes_true([&] { return newest_view_.find(who + " #") != std::string::npos; });
  }
  /// The same without it.
  bool goes_on_without(const std::string& who) {
    return comes_true([&] { return newest_view_.find(who + " #") == std::string::npos; });
  }

  template <class Condition>
  bool comes_true(Condition condition) {
    return run_.wait_until(
      [&] {
        read();
        return condition();
      },
      patience);
  }

  /// Stops it; checks that what it has come to is what an undisturbed run comes to in as many steps, and that every
  /// sample took effect once. Its report. `like`: what the undisturbed run needs to have the same result.
  nlohmann::json stop_and_check(const words& like = {}) {
    run_.send(SIGTERM);
    CHECK(run_.wait(deadline) == 0);
    INFO(run_.out() << run_.err());
    auto report = report_in(folder_);
    CHECK(report["stopped"] == "interrupted");
    CHECK(report["weights_sha256"] == undisturbed(report["steps"], like));
    process audit(command({"audit", "ledger"}), folder_.path());
    CHECK(audit.wait(deadline) == 0);
    return report;
  }

  /// What it has told the user.
  [[nodiscard]] const std::string& said() const { return run_.out(); }

private:
  static std::string undisturbed(int steps, const words& like) {
    const temporary_folder folder;
    // Else the learning rate would follow from where the run is to end.
    process run(long_job(1, steps, words{"--quiet", "--schedule", "constant"} + like), folder.path());
    REQUIRE(run.wait(deadline) == 0);
    return report_in(folder)["weights_sha256"];
  }

  void read() {
    if (!file_.is_open())
      file_.open(folder_ / "events.jsonl");
    std::string some;
    file_.clear();
    while (std::getline(file_, some)) {
      rest_ += some;
      if (file_.eof())
        return; // the line is not complete yet
      take(nlohmann::json::parse(rest_));
      rest_.clear();
    }
  }

  void take(nlohmann::json event) {
    if (event["event"] == "step") {
      steps_ = event["step"];
      return;
    }
    if (event["event"] == "view")
      take_view(event["detail"], event["number"]);
    events_.push_back(std::move(event));
  }

  /// Numbers of views rise, and no incarnation takes part once a later one has (I15).
  void take_view(const std::string& members, uint64_t number) {
    CHECK(number > newest_number_);
    newest_number_ = number;
    newest_view_ = members;
    std::istringstream each(members);
    for (std::string role, incarnation; each >> role >> incarnation;) {
      const auto its = std::stoull(incarnation.substr(1));
      CHECK(its >= incarnations_[role]);
      incarnations_[role] = its;
    }
  }

  const temporary_folder& folder_;
  process run_;
  std::ifstream file_;
  std::string rest_;
  uint64_t steps_ = 0;
  std::vector<nlohmann::json> events_; // but steps
  size_t seen_ = 0;
  std::string newest_view_;
  uint64_t newest_number_ = 0;
  std::map<std::string, uint64_t> incarnations_; // the newest that took part
};

} // namespace troupe::test
