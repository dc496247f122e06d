#include "actors/flow_core.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

// -- sender -----------------------------------------------------------------------------------------------------------

flow_open flow_sender_core::on_bound() {
  heard_ = true; // the answer has until the tick after next
  return {flow_, ++attempt_};
}

std::optional<flow_open> flow_sender_core::on_tick() {
  const auto due = !open() || taken_ < received_ + under_way_.size();
  if (std::exchange(heard_, false) || attempt_ == 0 || done() || !due)
    return std::nullopt;
  return flow_open{flow_, ++attempt_};
}

bool flow_sender_core::on_credit(const flow_credit& c) {
  if (c.flow != flow_ || c.attempt != attempt_ || attempt_ == 0 || c.taken > c.received || (c.ended && c.received == 0))
    return false;
  if (open()) {
    if (c.received < received_ || c.received - received_ > under_way_.size() || c.taken < taken_)
      return false;
    for (; received_ < c.received; ++received_) {
      bytes_ -= under_way_.front();
      under_way_.pop_front();
    }
  } else { // what was sent before has come, or was lost with its connection
    answered_ = attempt_;
    received_ = c.received;
    under_way_.clear();
    bytes_ = 0;
    end_ = c.ended ? std::optional{c.received - 1} : std::nullopt;
  }
  taken_ = c.taken;
  credit_ = c.bytes;
  heard_ = true;
  return true;
}

std::optional<uint64_t> flow_sender_core::next() const {
  return open() && !end_ ? std::optional{received_ + under_way_.size()} : std::nullopt;
}

bool flow_sender_core::admit(uint64_t bytes) {
  const auto cost = flow_cost(bytes);
  const auto alone = under_way_.empty() && taken_ == received_;
  if (!alone && (bytes_ > credit_ || cost > credit_ - bytes_))
    return false;
  under_way_.push_back(cost);
  bytes_ += cost;
  return true;
}

void flow_sender_core::end() {
  end_ = next();
  under_way_.push_back(0);
}

// -- receiver ---------------------------------------------------------------------------------------------------------

flow_credit flow_receiver_core::credit() {
  freed_ = 0;
  told_ = taken_;
  return {flow_, attempt_, received_, taken_, end_.has_value(), window_ - std::min(window_, bytes_)};
}

std::optional<flow_credit> flow_receiver_core::on_open(const flow_open& o) {
  if (o.attempt == 0 || (attempt_ != 0 && o.flow != flow_)) {
    ++dropped_;
    return std::nullopt;
  }
  flow_ = o.flow;
  attempt_ = o.attempt;
  return credit();
}

bool flow_receiver_core::on_item(const flow_item& item) {
  const auto cost = item.last ? 0 : flow_cost(item.value.bytes());
  const auto fits = waiting_.empty() || cost <= window_ - std::min(window_, bytes_);
  const auto is_known = attempt_ != 0 && item.flow == flow_;
  if (!is_known || item.number != received_ || end_ || !fits) {
    ++dropped_;
    return false;
  }
  ++received_;
  if (item.last) {
    end_ = item.number;
  } else {
    waiting_.push_back(item.value);
    bytes_ += cost;
  }
  settle();
  return true;
}

// Nobody takes the end.
void flow_receiver_core::settle() {
  if (end_ == taken_)
    ++taken_;
}

std::optional<payload> flow_receiver_core::take() {
  if (waiting_.empty())
    return std::nullopt;
  auto result = std::move(waiting_.front());
  waiting_.pop_front();
  const auto cost = flow_cost(result.bytes());
  bytes_ -= cost;
  freed_ += cost;
  ++taken_;
  settle();
  return result;
}

std::optional<flow_credit> flow_receiver_core::credit_due() {
  const auto due = waiting_.empty() ? told_ != taken_ : freed_ >= window_ / 4;
  return due && attempt_ != 0 ? std::optional{credit()} : std::nullopt;
}

} // namespace troupe
