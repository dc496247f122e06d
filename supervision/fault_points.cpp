#include "supervision/fault_points.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fmt/format.h>
#include <mutex>
#include <stdexcept>
#include <sys/types.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace troupe {

namespace {

struct planned {
  fault what;
  uint64_t number = 0; ///< among those that end this role, from 1; 0: it does not end it
  std::shared_ptr<std::atomic<bool>> done;
};

std::mutex mutex;
std::vector<planned> plan; // guarded by it

bool ends_actor(fault_kind kind) {
  return fault_kinds{fault_kind::exception, fault_kind::error, fault_kind::kill_actor, fault_kind::kill_process}
    .contains(kind);
}

bool is_for(const planned& p, const fault_place& where, const fault_moment& when, const std::string& role) {
  const bool here = p.what.where == role || p.what.where == where.name;
  const bool turn = p.number == 0 || when.incarnation.value == 0 || p.number <= when.incarnation.value;
  return here && turn && where.can.contains(p.what.kind) && when.step >= p.what.step.value_or(0);
}

/// Somebody has to wake this process, so that is the child of a child, which nobody has to wait for.
void stop_this_process(nanoseconds time) {
  const pid_t me = ::getpid();
  const pid_t between = ::fork();
  if (between == 0) {
    if (::fork() == 0) {
      ::close_range(3, ~0U, 0); // pipes that others watch
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
      const timespec left{seconds.count(), (time - seconds).count()};
      ::nanosleep(&left, nullptr);
      ::kill(me, SIGCONT);
    }
    ::_exit(0);
  }
  if (between < 0)
    return; // it would stop for ever
  ::waitpid(between, nullptr, 0);
  ::kill(me, SIGSTOP);
}

} // namespace

std::atomic<bool> fault_points::armed_ = false;

void fault_points::arm(const fault& what, std::shared_ptr<std::atomic<bool>> done) {
  const std::lock_guard lock{mutex};
  planned next{.what = what, .done = std::move(done)};
  if (ends_actor(what.kind) && what.where.find('/') != std::string::npos)
    next.number = 1 + static_cast<uint64_t>(std::count_if(plan.begin(), plan.end(), [&](const auto& p) {
                    return p.what.where == what.where && p.number > 0;
                  }));
  plan.push_back(std::move(next));
  armed_ = true;
}

void fault_points::disarm() {
  const std::lock_guard lock{mutex};
  plan.clear();
  armed_ = false;
}

injected fault_points::pass(const fault_place& where, const fault_moment& when) {
  fault what;
  {
    const std::lock_guard lock{mutex};
    const auto role = to_string(when.role);
    const auto found = std::find_if(plan.begin(), plan.end(), [&](const auto& p) {
      return is_for(p, where, when, role) && !p.done->exchange(true); // elsewhere, it may have just happened
    });
    if (found == plan.end())
      return {};
    what = found->what;
  }
  switch (what.kind) {
  case fault_kind::exception:
    throw std::runtime_error(fmt::format("planned fault {} at {}", to_string(what), where.name));
  case fault_kind::kill_process:
    ::kill(::getpid(), SIGKILL);
    return {};
  case fault_kind::stop_process:
    stop_this_process(what.time);
    return {};
  case fault_kind::stall:
    std::this_thread::sleep_for(what.time);
    return {};
  default:
    return {what.kind, what.time};
  }
}

} // namespace troupe
