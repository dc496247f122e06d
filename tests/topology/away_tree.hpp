#pragma once

#include <caf/scoped_actor.hpp>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "actors/remote_place.hpp"
#include "actors/runtime.hpp"
#include "messages/caf.hpp"
#include "supervision/run_tree.hpp"

/// Trees with children on other hosts, as a program of a user's has them.
namespace troupe::test {

/// A runtime with a tree in it, and what its supervisors reported.
struct away_tree {
  explicit away_tree(link_settings link = {}) : rt({.network = true, .link = std::move(link)}) {}
  ~away_tree() {
    if (tree)
      stop();
  }

  void run(const supervision_tree& what) {
    auto observer = tree_observer{};
    observer.on_report = [this](const supervision_report& r) {
      auto guard = std::lock_guard{mutex};
      reports.push_back(to_string(r));
      changed.notify_all();
    };
    observer.on_end = [this](const tree_end& e) { ended.set_value(e); };
    auto running = run_tree(rt.system(), what, std::move(observer));
    REQUIRE(running);
    tree = std::move(*running);
  }

  /// Of a tree that ends by itself, or that has been stopped.
  tree_end end() {
    auto until = ended.get_future();
    REQUIRE(until.wait_for(std::chrono::seconds{60}) == std::future_status::ready);
    tree.reset();
    return until.get();
  }
  tree_end stop() {
    tree->stop();
    return end();
  }

  /// What a child answers to `text`, once there is one that answers. The last words of the tree where there is none.
  std::string ask(const role_id& who, const std::string& text) {
    auto self = caf::scoped_actor{rt.system()};
    auto result = std::string{};
    for (auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
         result.empty() && std::chrono::steady_clock::now() < until;)
      if (auto there = roles->find_as<caf::actor>(who))
        troupe::request(self, there, std::chrono::seconds{1}, text)
          .receive([&](const std::string& answer) { result = answer; }, [](const caf::error&) {});
      else
        wait_for_report();
    auto guard = std::lock_guard{mutex};
    return result.empty() && !reports.empty() ? reports.back() : result;
  }

  /// For `who` to be told something, without an answer.
  void tell(const role_id& who, const std::string& text) { troupe::anon_send(roles->find_as<caf::actor>(who), text); }

  /// The first report that holds `text`, and "" where none comes.
  std::string report(const std::string& text) {
    auto guard = std::unique_lock{mutex};
    auto found = std::string{};
    changed.wait_for(guard, std::chrono::seconds{60}, [&] {
      for (auto& each : reports)
        if (each.find(text) != std::string::npos)
          found = each;
      return !found.empty();
    });
    return found;
  }

  std::shared_ptr<directory> roles = std::make_shared<directory>();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> reports;
  std::promise<tree_end> ended;
  runtime rt;
  std::optional<running_tree> tree;

private:
  void wait_for_report() {
    auto guard = std::unique_lock{mutex};
    changed.wait_for(guard, std::chrono::milliseconds{5});
  }
};

/// The last sentence of why a tree ended.
inline std::string last_cause(const tree_end& end) {
  return end.cause.chain.empty() ? std::string{} : end.cause.chain.back();
}

} // namespace troupe::test
