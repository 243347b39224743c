# Canaries: for each promise a build that breaks it, and a test that passes only when the simulation catches it.
# nightdrop_canary(NAME SOURCE FROM TO) copies one production source with FROM replaced by TO (configuring fails when
# FROM is no longer there), and links it before the libraries, so that it takes that one object's place.
function(nightdrop_canary name source from to)
  set(original ${PROJECT_SOURCE_DIR}/${source})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${original})
  file(READ ${original} text)
  string(FIND "${text}" "${from}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "canary ${name}: ${source} no longer holds the text it changes:\n${from}")
  endif()
  string(REPLACE "${from}" "${to}" text "${text}")
  set(mutant ${CMAKE_CURRENT_BINARY_DIR}/canary/${name}.cpp)
  file(CONFIGURE OUTPUT ${mutant} CONTENT "${text}" @ONLY)
  add_executable(test_canary_${name} canary/canary_main.cpp ${mutant})
  target_include_directories(test_canary_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_canary_${name} PRIVATE nightdrop_simulation)
  add_test(NAME canary.${name} COMMAND test_canary_${name})
  set_tests_properties(canary.${name} PROPERTIES LABELS canary TIMEOUT 300)
endfunction()

nightdrop_canary(send_before_commit src/terminal/books.cpp
  [==[  const bool durable = commit_turn();]==]
  [==[  std::vector<Effect> early = std::move(effects_);
  effects_.clear();
  for (Effect& effect : early) effect(true);
  const bool durable = commit_turn();]==])

nightdrop_canary(fresh_id_on_retry src/acquirer/https/request.cpp
  [==[  if (payment.decline_retries == 0) return payment.id;]==]
  [==[  if (payment.attempts > 1) return payment.id + "-" + std::to_string(payment.attempts);
  if (payment.decline_retries == 0) return payment.id;]==])

nightdrop_canary(caps_outside_the_transaction src/terminal/books.cpp
  [==[  const auto totals = ports_.store.totals();]==]
  [==[  static Result<hal::Totals> totals = hal::Totals{};  // read now and then, as a copy kept beside the store would be
  static int asked = 0;
  if (asked++ % 8 == 0) totals = ports_.store.totals();]==])

nightdrop_canary(envelope_outlives_the_answer src/engine/settle.cpp
  [==[payment.envelope.reset();]==]
  [==[static_cast<void>(payment);]==])

nightdrop_canary(payments_before_reversals src/terminal/forwarder.cpp
  [==[if (!behind_reversals_) send_payments(*route);]==]
  [==[send_payments(*route);]==])

nightdrop_canary(deadlines_on_the_wall_clock src/engine/time_keeper.cpp
  [==[  high_ = std::max(high_, expected(reading));]==]
  [==[  high_ = reading.wall;]==])

nightdrop_canary(cancel_without_reversal src/terminal/intents.cpp
  [==[      ND_TRY(books_.ports().store.put_reversal({payment.id, ReversalReason::Canceled, books_.now()}));]==]
  [==[]==])
