#include "actors/spawner_core.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include "actors/message_types.hpp"
#include "messages/spawning.hpp"

namespace troupe {
namespace {

constexpr auto most_letters = size_t{128}; // of a child's name

// A name as it is put into a sentence: whoever asks has chosen it.
std::string printable(std::string name) {
  if (name.size() > most_letters)
    name = name.substr(0, most_letters) + "...";
  std::replace_if(
    name.begin(), name.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return name;
}

} // namespace

spawner_core::spawner_core(options o) : options_(std::move(o)), messages_(fingerprint(options_.messages)) {}

std::string spawner_core::refusal(const request& what) const {
  if (std::find(options_.types.begin(), options_.types.end(), what.type) == options_.types.end())
    return fmt::format("it runs {}, which {}: start the program that registers {} there, as `PROGRAM node --listen "
                       "HOST:PORT`",
                       options_.program,
                       options_.types.empty()
                         ? std::string{"registers no types of actors"}
                         : fmt::format("knows the type{} {} and not {}", options_.types.size() == 1 ? "" : "s",
                                       fmt::join(options_.types, ", "), printable(what.type)),
                       printable(what.type));
  if (what.messages != messages_)
    return fmt::format("it runs {}, which has {} message type{} of its own, and they are not those of this program: "
                       "start the same build of the program on both sides",
                       options_.program, options_.messages.empty() ? "no" : std::to_string(options_.messages.size()),
                       options_.messages.size() == 1 ? "" : "s");
  if (what.child.size() > most_letters)
    return fmt::format("the name {} has more than {} letters: choose a shorter one", printable(what.child),
                       most_letters);
  if (what.argument_bytes > most_argument_bytes)
    return fmt::format("the argument of {} has {} bytes, and may have {}: send what is larger in messages",
                       printable(what.child), what.argument_bytes, most_argument_bytes);
  auto known = children_.find({what.supervisor, what.child});
  if (known != children_.end() && known->second.number >= what.number)
    return fmt::format("{} #{} runs there already, and this is the start of #{}", printable(what.child),
                       known->second.number.value, what.number.value);
  if (known == children_.end() && actors_of(what.job) >= options_.most)
    return fmt::format("this job has {} actors there, as many as the node grants to one: start it with more --actors, "
                       "or spread them over more nodes",
                       options_.most);
  return {};
}

std::string spawner_core::no_argument(const request& what) const {
  return fmt::format("the argument of {} is none that {} in {} takes: start the same build of the program on both "
                     "sides, and leave handles of actors out of arguments",
                     printable(what.child), printable(what.type), options_.program);
}

spawner_core::begun spawner_core::started(const request& what) {
  auto who = child{what.supervisor, what.child};
  auto result = begun{++last_, std::nullopt};
  if (auto known = children_.find(who); known != children_.end()) {
    result.over = known->second.actor;
    ended(known->second.actor);
  }
  children_[who] = {what.number, result.number};
  living_[result.number] = {what.job, who};
  ++jobs_[what.job];
  return result;
}

void spawner_core::ended(actor_number which) {
  auto found = living_.find(which);
  if (found == living_.end())
    return;
  children_.erase(found->second.who);
  if (auto job = jobs_.find(found->second.job); --job->second == 0)
    jobs_.erase(job);
  living_.erase(found);
}

uint32_t spawner_core::actors_of(const std::string& job) const {
  auto found = jobs_.find(job);
  return found == jobs_.end() ? 0 : found->second;
}

} // namespace troupe
