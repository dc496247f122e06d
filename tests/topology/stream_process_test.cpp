// T5, T6 with real processes: a device that is lost, or stuck, costs the process that has it, and no other.

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "actors/worker.hpp"
#include "messages/registry.hpp"
#include "supervision/run_tree.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("T6: a lost device and a stuck kernel end their processes, which are replaced; others are not touched") {
  register_messages();
  const auto here = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const test::temporary_folder folder;
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, int> ready;
  std::vector<supervision_report> reports;
  bool ended = false;
  std::vector<startable> children;
  for (const std::string name : {"sticky", "stuck", "steady"}) {
    const auto program = folder.path() / name;
    std::filesystem::create_symlink(here / "stream_process", program);
    children.emplace_back(name, [&, name, program](const start_context& c) -> started {
      const auto on_ready = [&, name](uint16_t, const caf::actor&) {
        const std::lock_guard lock(mutex);
        ++ready[name];
        changed.notify_all();
      };
      return started::later(c.system.spawn<worker, caf::detached>(worker::config{
        {.program = program.string()}, c.notice, on_ready, [](const std::string&, const caf::actor&) {}}));
    });
  }
  caf::actor_system_config config;
  caf::actor_system system(config);
  auto tree = run_tree(system, supervise("workers", one_for_one, at_most(3, 1min)).child(children, transient),
                       {.on_ready = nullptr,
                        .on_report =
                          [&](const supervision_report& r) {
                            const std::lock_guard lock(mutex);
                            reports.push_back(r);
                            changed.notify_all();
                          },
                        .on_end =
                          [&](const tree_end&) {
                            const std::lock_guard lock(mutex);
                            ended = true;
                            changed.notify_all();
                          }});
  REQUIRE(tree);
  {
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, 60s, [&] { return ended || (ready["sticky"] == 2 && ready["stuck"] == 2); }));
    CHECK_FALSE(ended);
    CHECK(ready == std::map<std::string, int>{{"steady", 1}, {"sticky", 2}, {"stuck", 2}});
    REQUIRE(reports.size() == 2);
    CHECK(reports[0].child != reports[1].child);
    for (const auto& r : reports) {
      CHECK(r.child != "steady");
      CHECK(r.what == decision::restart);
      CHECK(to_string(r.cause).ends_with("ended with exit code 87, because its device was lost or stuck"));
    }
  }
  tree->stop();
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, 60s, [&] { return ended; }));
}
