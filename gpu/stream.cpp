#include "gpu/stream.hpp"

#include <utility>

#include "gpu/lane.hpp"

namespace troupe::gpu {

struct event::state : detail::gate {};

bool event::done() const {
  return !state_ || state_->passed();
}

void event::wait() const {
  if (state_)
    state_->wait();
}

/// The queue holds the device for as long as it has something to do, so that no lane ends before its work.
struct stream::state : detail::stream_queue {
  explicit state(device where) : dev(std::move(where)) {}
  device dev;
};

stream::stream(device dev, error_handler on_error) : state_(std::make_shared<state>(std::move(dev))) {
  state_->home = state_->dev.lane().queue();
  state_->on_error = std::move(on_error);
}

stream::stream(stream&&) noexcept = default;
stream& stream::operator=(stream&&) noexcept = default;
stream::~stream() = default;

const device& stream::where() const {
  return state_->dev;
}

void stream::enqueue(task work) {
  state_->home->push(state_, {.what = detail::entry::type::run, .work = std::move(work)});
}

void stream::on_complete(task callback) {
  enqueue(std::move(callback));
}

event stream::record() {
  event e;
  e.state_ = std::make_shared<event::state>();
  state_->home->push(state_, {.what = detail::entry::type::pass, .point = e.state_});
  return e;
}

void stream::wait(const event& e) {
  if (!e.done())
    state_->home->push(state_, {.what = detail::entry::type::wait, .point = e.state_});
}

void stream::synchronize() {
  record().wait();
  if (auto error = state_->home->error_of(*state_))
    std::rethrow_exception(error);
}

} // namespace troupe::gpu
