#pragma once

#include <caf/send.hpp>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/data_parallel.hpp"
#include "messages/caf.hpp"

namespace troupe::test {

/// Eight steps of a small model, reproducible to the bit.
inline job_options small_job() {
  auto o = job_options{};
  o.model = "lenet";
  o.data = "digits";
  o.batch = 24;
  o.micro_batch = 4;
  o.epochs = 0;
  o.steps = 8;
  o.threads = 1;
  o.evaluate = false;
  o.log_every = 1;
  o.optimizer.learning_rate = 0.02f;
  o.schedule.kind = learn::schedule_kind::constant; // a resumed run may have another last step
  return o;
}

/// Its report; a run that fails fails the test.
inline job_report run(const job_options& o, const job_observer& observer = {}, const std::stop_token& stop = {}) {
  auto r = run_job(o, observer, stop);
  INFO((r ? std::string{} : r.error().sentence));
  REQUIRE(r);
  return *r;
}

/// A run during which `disturb(step, roles)` is called after each step; its report.
inline job_report disturbed(const job_options& o, const std::function<void(uint64_t step, directory& roles)>& disturb,
                            std::vector<std::string>* notes = nullptr) {
  auto rt = runtime{};
  auto roles = std::shared_ptr<directory>{};
  auto observer = job_observer{};
  observer.on_step = [&](const step_progress& at) { disturb(at.step, *roles); };
  auto say = [&](const std::string& sentence) {
    if (notes)
      notes->push_back(sentence);
  };
  observer.on_note = say;
  auto parts = data_parallel::prepare(rt, o, observer);
  REQUIRE(parts);
  roles = (*parts)->job().roles;
  auto report = (*parts)->run((*parts)->tree(), {}, [&](const supervision_report& r) { say(to_string(r)); });
  INFO((report ? std::string{} : report.error().sentence));
  REQUIRE(report);
  CHECK(report->samples == o.steps * o.batch);
  return *report;
}

inline void kill(directory& roles, const role_id& role) {
  auto victim = roles.find(role);
  REQUIRE(victim);
  troupe::anon_send_exit(victim, caf::exit_reason::kill);
}

} // namespace troupe::test
