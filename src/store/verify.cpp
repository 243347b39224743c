// The slow proof: everything that is kept along the way is counted anew from the rows and compared.
#include "store/codec.hpp"
#include "store/database.hpp"
#include "store/row.hpp"

namespace nightdrop {

using store::Query;

Result<void> SqlCipherStore::verify() {
  ND_TRY(ready());
  ND_LET(Query pages, db_->once("PRAGMA cipher_integrity_check"));
  ND_LET(const bool bad_page, pages.step());
  if (bad_page) return failure(Errc::Corrupt, "a page's authentication code is wrong");
  {
    ND_LET(Query tables, db_->once("PRAGMA integrity_check(1)"));
    ND_LET(const bool answer, tables.step());
    if (!answer || tables.text(0) != "ok") return failure(Errc::Corrupt, "an index and its table differ");
  }
  ND_TRY(verify_payments());
  return verify_journal();
}

Result<void> SqlCipherStore::verify_payments() {
  store::Head kept = head_;
  store::Head counted;
  counted.window_ms = kept.window_ms;
  std::map<std::string, std::int64_t> open_by_card;
  std::optional<UtcMs> oldest, deadline;
  std::int64_t envelopes = 0;
  std::swap(head_, counted);
  const auto count_rows = [&]() -> Result<void> {
    ND_LET(Query query, db_->once("SELECT n FROM payments ORDER BY n"));
    for (;;) {
      ND_LET(const bool more, query.step());
      if (!more) return {};
      ND_LET(const auto row, row_by_n(query.integer(0)));
      if (!row) return failure(Errc::Corrupt, "a payment is not there");
      add_to_head(*row, +1);
      const Payment& p = row->payment;
      if (row->slot) {
        ND_TRY(load_envelope(*row->slot));
        ++envelopes;
      }
      if (p.counted && p.kind == ObjectKind::PaymentIntent && p.card && !p.card->fingerprint.empty()) {
        ++open_by_card["card/" + p.card->fingerprint + "/" + std::string(p.currency.view())];
      }
      if (p.stored_at && (p.counted || (p.status == Status::Expired && !p.acknowledged)))
        oldest = std::min(oldest.value_or(*p.stored_at), *p.stored_at);
      if (p.status == Status::Stored && !p.outcome_unknown && p.deadline)
        deadline = std::min(deadline.value_or(*p.deadline), *p.deadline);
    }
  };
  const auto done = count_rows();
  std::swap(head_, counted);
  ND_TRY(done);
  if (counted.by_status != kept.by_status) return failure(Errc::Corrupt, "the counts by status differ from the rows");
  if (counted.counted != kept.counted)
    return failure(Errc::Corrupt, "the count of what is at risk differs from the rows");
  if (counted.window_rows != kept.window_rows)
    return failure(Errc::Corrupt, "the count of usual windows differs from the rows");
  if (counted.by_currency.size() != kept.by_currency.size())
    return failure(Errc::Corrupt, "the totals' currencies differ from the rows");
  for (const auto& [currency, sums] : counted.by_currency) {
    const auto other = kept.by_currency.find(currency);
    if (other == kept.by_currency.end() || other->second.payments != sums.payments ||
        other->second.refunds != sums.refunds) {
      return failure(Errc::Corrupt, "the totals differ from the rows");
    }
  }
  ND_LET(const hal::Totals totals, this->totals());
  if (totals.oldest_stored_at != oldest)
    return failure(Errc::Corrupt, "the oldest stored payment differs from the rows");
  if (totals.next_deadline != deadline) return failure(Errc::Corrupt, "the next deadline differs from the rows");
  ND_LET(Query cards, db_->once("SELECT key, value FROM state WHERE key >= 'card/' AND key < 'card0'"));
  std::map<std::string, std::int64_t> open_kept;
  for (;;) {
    ND_LET(const bool more, cards.step());
    if (!more) break;
    store::Reader in(cards.blob(1));
    const std::int64_t total = in.i(), count = in.i(), open = in.i();
    if (!in.ok() || total < 0 || count < open || open < 0)
      return failure(Errc::Corrupt, "a card's counters make no sense");
    if (open != 0) open_kept[std::string(cards.text(0))] = open;
  }
  if (open_kept != open_by_card) return failure(Errc::Corrupt, "the cards' counters differ from the rows");
  return {};
}

Result<void> SqlCipherStore::verify_journal() {
  std::uint64_t seq = head_.anchor_seq;
  auto hash = head_.anchor_hash;
  ND_LET(Query query, db_->once("SELECT seq, text, hash FROM journal ORDER BY seq"));
  for (;;) {
    ND_LET(const bool more, query.step());
    if (!more) break;
    const auto text = query.text(1);
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    hash = options_.sha256(hash, bytes);
    if (static_cast<std::uint64_t>(query.integer(0)) != ++seq)
      return failure(Errc::Corrupt, "an event of the journal is not there");
    if (query.bytes<32>(2) != hash) return failure(Errc::Corrupt, "the journal's chain is broken");
  }
  if (seq != head_.journal_seq || hash != head_.journal_hash)
    return failure(Errc::Corrupt, "the journal's end is not there");
  return {};
}

}  // namespace nightdrop
