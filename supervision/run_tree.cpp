#include "supervision/run_tree.hpp"

#include <atomic>
#include <fmt/format.h>
#include <utility>

#include "supervision/exit_reason.hpp"
#include "supervision/supervisor_actor.hpp"

namespace troupe {

std::string to_string(const tree_end& end) {
  auto text = fmt::format("{}\n", explain(end.cause));
  if (end.last.empty())
    return text;
  text += fmt::format("{} restarts; what the supervisors did last:\n", end.restarts);
  for (const auto& report : end.last)
    text += fmt::format("  {}\n", to_string(report));
  return text;
}

void running_tree::stop() const {
  stop({exit_kind::shutdown, {}});
}

void running_tree::stop(const exit_cause& cause) const {
  anon_send_exit(root_, reason_of(cause));
}

uint64_t running_tree::restarts() const {
  return record_->restarts();
}

std::optional<supervisor> running_tree::find(const std::string& path) const {
  auto handle = record_->find(path);
  return handle ? std::optional{supervisor{std::move(handle)}} : std::nullopt;
}

expected<running_tree> run_tree(caf::actor_system& system, const supervision_tree& tree, tree_observer observer) {
  if (auto ok = validate(tree); !ok)
    return tl::unexpected(ok.error());
  auto record = std::make_shared<tree_record>(std::move(observer.on_report));
  auto was_ready = std::make_shared<std::atomic<bool>>(false);
  auto root =
    spawn_supervisor(system, {.tree = std::make_shared<const supervision_tree>(tree),
                              .path = tree.spec().name,
                              .record = record,
                              .on_ready = [was_ready, told = std::move(observer.on_ready)](const caf::actor&) {
                                *was_ready = true;
                                if (told)
                                  told();
                              }});
  auto on_end = [record, was_ready, told = std::move(observer.on_end)](const caf::error& reason) {
    if (told)
      told({cause_of(reason), *was_ready, record->restarts(), record->last_reports(), record->late_notices()});
  };
  caf::actor_cast<caf::abstract_actor*>(root)->attach_functor(std::move(on_end));
  return running_tree{std::move(root), std::move(record)};
}

} // namespace troupe
