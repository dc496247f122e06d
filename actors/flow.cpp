#include "actors/flow.hpp"

#include <utility>

#include "messages/caf.hpp"
#include "messages/registry.hpp"

namespace troupe {

// -- outlet -----------------------------------------------------------------------------------------------------------

caf::behavior flow_outlet::make_behavior() {
  find();
  run_after(this, config_.pace, [this] { tick(); });
  return {
    [this](const flow_credit& c) {
      if (core_.on_credit(c))
        send_what_may_go();
      if (core_.done())
        quit();
    },
  };
}

// The functions may hold whatever keeps this actor alive.
void flow_outlet::on_exit() {
  config_ = {};
  to_ = nullptr;
}

void flow_outlet::find() {
  if (auto now = config_.to(); now && now != to_) {
    to_ = std::move(now);
    troupe::monitor(this, caf::actor_cast<caf::actor>(to_), [this, who = to_->address()](const caf::error&) {
      if (to_ && to_->address() == who)
        to_ = nullptr;
    });
    troupe::enqueue_as(ctrl(), to_, caf::make_message(core_.on_bound()));
  }
}

void flow_outlet::send_what_may_go() {
  while (auto number = core_.next()) {
    if (!waits_ || number_ != *number) {
      number_ = *number;
      waits_ = config_.produce(number_);
    }
    auto last = !waits_;
    if (last)
      core_.end();
    else if (!core_.admit(waits_->bytes()))
      return;
    auto value = last ? payload{} : *std::exchange(waits_, std::nullopt);
    if (to_)
      troupe::enqueue_as(ctrl(), to_, caf::make_message(flow_item{config_.flow, number_, last, std::move(value)}));
  }
}

void flow_outlet::tick() {
  find();
  if (auto open = core_.on_tick(); open && to_)
    troupe::enqueue_as(ctrl(), to_, caf::make_message(*open));
  run_after(this, config_.pace, [this] { tick(); });
}

// -- inlet ------------------------------------------------------------------------------------------------------------

void flow_inlet::on(const flow_open& o) {
  auto credit = core_.on_open(o);
  if (!credit)
    return;
  from_ = self_->current_sender();
  if (from_)
    troupe::enqueue_as(self_->ctrl(), from_, caf::make_message(*credit));
}

void flow_inlet::on(const flow_item& item) {
  core_.on_item(item);
  tell();
}

std::optional<payload> flow_inlet::take() {
  auto result = core_.take();
  tell();
  return result;
}

void flow_inlet::tell() {
  if (auto credit = core_.credit_due(); credit && from_)
    troupe::enqueue_as(self_->ctrl(), from_, caf::make_message(*credit));
}

} // namespace troupe
