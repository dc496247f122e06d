#include "actors/work_queue.hpp"

#include <algorithm>

#include "actors/shares.hpp"

namespace troupe {

uint64_t work_queue::add(const lease& l) {
  waiting_.push_back({++numbers_, l.at, l.first, l.first, l.last});
  return numbers_;
}

std::optional<work_queue::piece> work_queue::peek() const {
  if (depth_ != 0 && on_stream_ >= depth_)
    return std::nullopt;
  auto i = std::find_if(waiting_.begin(), waiting_.end(), [](auto& e) { return e.next < e.end; });
  return i == waiting_.end() ? std::nullopt : std::optional{piece{i->number, i->next}};
}

std::optional<work_queue::piece> work_queue::next() {
  auto result = peek();
  if (result) {
    ++on_stream_;
    ++std::find_if(waiting_.begin(), waiting_.end(), [&](auto& e) { return e.number == result->work; })->next;
  }
  return result;
}

std::optional<work_queue::complete> work_queue::next_complete() {
  auto i = std::find_if(waiting_.begin(), waiting_.end(), [](auto& e) { return e.next == e.end; });
  if (i == waiting_.end())
    return std::nullopt;
  auto result = complete{i->number, i->end};
  waiting_.erase(i);
  return result;
}

work_queue::split work_queue::give_up(step at, double seconds, double others) {
  auto rest = [](const entry& e) { return e.end - e.next; };
  auto most = std::max_element(waiting_.begin(), waiting_.end(), [&](auto& a, auto& b) {
    return (a.at == at ? rest(a) : 0) < (b.at == at ? rest(b) : 0);
  });
  if (most == waiting_.end() || most->at != at)
    return {};
  auto result = split{most->first, most->end, most->end};
  most->end -= worth_giving(rest(*most), seconds, others);
  result.kept = most->end;
  return result;
}

void work_queue::abandon(const std::function<bool(step)>& of) {
  for (auto& e : waiting_)
    if (of(e.at))
      e.end = e.next;
}

} // namespace troupe
