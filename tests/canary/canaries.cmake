# Canaries: for each promise a build that breaks it, and a test that passes only when the simulation, or a unit test,
# catches it. Each copies one production source with FROM replaced by TO (configuring fails when FROM is no longer
# there), and links it before the libraries, so that it takes that one object's place.
function(nightdrop_mutant name source from to mutant_file)
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
  set(${mutant_file} ${mutant} PARENT_SCOPE)
endfunction()

# nightdrop_canary(NAME SOURCE FROM TO CHECK...): one of the simulation's CHECKs must see it; a failure of another kind
# would be no proof.
function(nightdrop_canary name source from to)
  nightdrop_mutant(${name} ${source} "${from}" "${to}" mutant)
  add_executable(test_canary_${name} ${mutant} $<TARGET_OBJECTS:nightdrop_canary_main>)
  target_include_directories(test_canary_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_canary_${name} PRIVATE nightdrop_simulation)
  add_test(NAME canary.${name} COMMAND test_canary_${name} ${ARGN})
  set_tests_properties(canary.${name} PROPERTIES LABELS canary TIMEOUT 300)
endfunction()

# nightdrop_unit_canary(NAME SOURCE FROM TO PROGRAM TEST): the named test of that test program must fail. The program's own
# objects are linked again, so that a canary costs the compilation of its one source.
function(nightdrop_unit_canary name source from to program test)
  if(NOT TARGET ${program})
    return()
  endif()
  nightdrop_mutant(${name} ${source} "${from}" "${to}" mutant)
  get_target_property(libraries ${program} LINK_LIBRARIES)
  list(REMOVE_ITEM libraries nightdrop_warnings)
  add_executable(test_canary_${name} ${mutant} $<TARGET_OBJECTS:${program}>)
  target_include_directories(test_canary_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
  target_link_libraries(test_canary_${name} PRIVATE ${libraries})
  add_test(NAME canary.${name} COMMAND test_canary_${name} --gtest_filter=${test})
  set_tests_properties(canary.${name} PROPERTIES LABELS canary TIMEOUT 180 ENVIRONMENT "RC_PARAMS=seed=1 noshrink=1"
    PASS_REGULAR_EXPRESSION "FAILED  . ${test}[ ,]")
endfunction()

add_library(nightdrop_canary_main OBJECT canary/canary_main.cpp)
target_link_libraries(nightdrop_canary_main PRIVATE nightdrop_warnings nightdrop_simulation)

nightdrop_canary(send_before_commit src/terminal/books.cpp
  [==[  const bool durable = commit_turn();]==]
  [==[  std::vector<Effect> early = std::move(effects_);
  effects_.clear();
  for (Effect& effect : early) effect(true);
  const bool durable = commit_turn();]==]
  "sent before it was durable" "told before it was durable")

nightdrop_canary(reply_before_durable src/terminal/decide.cpp
  [==[    books_.reply<Payment>(reply, std::move(result));  // first:]==]
  [==[    reply(std::move(result));  // first:]==]
  "told before it was durable")

nightdrop_canary(fresh_id_on_retry src/acquirer/https/request.cpp
  [==[  if (payment.decline_retries == 0) return payment.id;]==]
  [==[  if (payment.attempts > 1) return payment.id + ":retry-" + std::to_string(payment.attempts);
  if (payment.decline_retries == 0) return payment.id;]==]
  "posted twice")

nightdrop_canary(other_body_on_retry src/acquirer/https/request.cpp
  [==[  body.set("deferred", payment.deferred);]==]
  [==[  body.set("deferred", payment.attempts > 1);]==]
  "one id, two bodies")

nightdrop_canary(caps_outside_the_transaction src/terminal/books.cpp
  [==[  const auto totals = ports_.store.totals();]==]
  [==[  static std::uint64_t turn = 0;  // read when the turn's first decision asked, and good for the others
  static Result<hal::Totals> totals = ports_.store.totals();
  if (std::exchange(turn, state_.turn) != state_.turn) totals = ports_.store.totals();]==]
  "caps")

nightdrop_canary(envelope_outlives_the_answer src/engine/settle.cpp
  [==[payment.envelope.reset();]==]
  [==[static_cast<void>(payment);]==]
  "card data outlives the answer")

nightdrop_canary(payments_before_reversals src/terminal/forwarder.cpp
  [==[if (!behind_reversals_) send_payments(*route);]==]
  [==[send_payments(*route);]==]
  "reversals first")

nightdrop_canary(deadlines_on_the_wall_clock src/engine/time_keeper.cpp
  [==[  high_ = std::max(high_, expected(reading));]==]
  [==[  high_ = reading.wall;]==]  # rows may also be pruned years too early
  "expired early" "sent after its deadline" "committed and lost")

nightdrop_canary(cancel_without_reversal src/terminal/intents.cpp
  [==[      ND_TRY(books_.order_reversal(payment.id, ReversalReason::Canceled));]==]
  [==[]==]
  "the queue does not drain")

nightdrop_canary(key_counter_not_committed src/terminal/books.cpp
  [==[    state_.dukpt_counter = marks.counter;]==]
  [==[]==]
  "ksn reused")
