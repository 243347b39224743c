// What the reader answers, for people: the state of the queue, lists of payments, declines with what to do about them,
// the report of a sync run, a reconciliation. Each takes the protocol's result object and gives lines of text.
#pragma once

#include <string>

#include "json/json.hpp"
#include "report/text.hpp"

namespace nightdrop::report {

// retrieve_offline_status, headed by get_reader's answer where it is given.
std::string status_listing(JsonView offline_status, JsonView reader, const Style& style);
// An array of payment_intents, newest first.
std::string payments_listing(JsonView payments, const Style& style);
// list_declines' array: why, and what to do.
std::string declines_listing(JsonView payments, const Style& style);
// What a person should do about a declined, expired or reviewed payment, one sentence.
std::string what_to_do(JsonView payment);
// One payment_intent, all that is known of it.
std::string payment_details(JsonView payment, const Style& style);
// retrieve_sync_report's answer.
std::string sync_report(JsonView report, const Style& style);
// Any object, two spaces a level.
std::string pretty_json(JsonView value);
// reconcile's answer.
std::string reconciliation(JsonView result, const Style& style);

}  // namespace nightdrop::report
