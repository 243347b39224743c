# Canaries of the key side: the vault, key blocks, the provisioning session, the reader's home, the station's database and
# the merchant's overlay. Each breaks one promise in one source; the named test must fail.

# --- the vault: no counter value twice, no older copy unseen ---

nightdrop_unit_canary(vault_takes_an_older_queue src/crypto/spending.cpp
  [==[!queue.queue_was_lost && queue.journal_seq < spending.witnessed_seq;]==]
  [==[false;]==]
  test_unit_vault Backends/VaultRollback.AnOlderQueueIsRefusedAndCanBeAccepted/Files)

nightdrop_unit_canary(vault_takes_an_older_vault src/crypto/spending.cpp
  [==[spending.generation < known_generation;]==]
  [==[false;]==]
  test_unit_vault Backends/VaultRollback.AnOlderVaultIsRefusedAndCanBeAccepted/Files)

nightdrop_unit_canary(vault_goes_on_below_its_ceiling src/crypto/spending.cpp
  [==[ResumePoint point{std::max(spending.counter, spending.ceiling),]==]
  [==[ResumePoint point{spending.counter,]==]
  test_unit_vault Backends/VaultInterleaving.NoKsnTwiceAndNoOlderCopyUnseen/Files)

nightdrop_unit_canary(vault_leaves_no_margin_behind_an_older_copy src/crypto/spending.cpp
  [==[  if (vault_is_older) point.spent = later(point.spent, margin);]==]
  [==[]==]
  test_unit_vault Backends/VaultRollback.AnOlderVaultIsRefusedAndCanBeAccepted/Files)

nightdrop_unit_canary(vault_counts_a_new_key_by_the_old_ones_counter src/crypto/spending.cpp
  [==[!queue_names_key || queue.initial_key_id == id;]==]
  [==[true;]==]
  test_unit_vault Backends/VaultConformance.ARekeyThatTheQueueDoesNotKnowIsNoOlderCopy/Files)

nightdrop_unit_canary(rekey_keeps_the_old_keys_ceiling src/crypto/sealed_key_vault.cpp
  [==[fresh.ceiling = ceiling_for(fresh.device);]==]
  [==[fresh.ceiling = state_->spending->ceiling;]==]
  test_unit_vault Backends/VaultConformance.RekeyGoesOnUnderTheNewKeyFromItsFirstValue/Files)

nightdrop_unit_canary(rekey_forgets_the_earlier_key src/crypto/sealed_key_vault.cpp
  [==[  fresh.earlier_ids.push_back(state_->spending->device.initial_key_id());]==]
  [==[]==]
  test_unit_vault Backends/VaultConformance.RekeyRefusesWhatIsNotANewKeyOfItsOwn/Files)

nightdrop_unit_canary(rekey_forgets_what_the_queue_had src/crypto/sealed_key_vault.cpp
  [==[  fresh.witnessed_seq = state_->spending->witnessed_seq;]==]
  [==[]==]
  test_unit_vault Backends/VaultInterleaving.NoKsnTwiceAndNoOlderCopyUnseen/Files)

nightdrop_unit_canary(vault_leaves_no_mark_in_the_token src/crypto/sealed_key_vault.cpp
  [==[return root->set_mark(mark);]==]
  [==[return {};]==]
  test_unit_vault Backends/VaultRollback.BothPutBackTogetherAreSeenByATokensMark/Token)

nightdrop_unit_canary(vault_marks_before_it_writes src/crypto/sealed_key_vault.cpp
  [==[    ND_TRY(write_sealed(directory, *root, vault_files::dukpt, snapshot));
    return root->set_mark(mark);]==]
  [==[    ND_TRY(root->set_mark(mark));
    return write_sealed(directory, *root, vault_files::dukpt, snapshot);]==]
  test_unit_vault Backends/VaultConformance.RekeyThatCannotBeWrittenChangesNothing/Token)

# --- key blocks: nothing of a payload is believed before its MAC ---

set(mac_comparison [==[  if (!equal_in_constant_time(*expected, *mac)) return failure(Errc::WrongKey, "TR-31 MAC");]==])
nightdrop_unit_canary(key_block_mac_not_compared src/crypto/tr31_format.cpp
  "${mac_comparison}"
  [==[]==]
  test_unit_crypto Tr31.NoFlippedBitPassesAndThePayloadIsNotBelieved)
nightdrop_unit_canary(key_block_length_read_before_mac src/crypto/tr31_format.cpp
  "${mac_comparison}"
  "  ND_TRY(key_of(payload.view()));\n${mac_comparison}"
  test_unit_crypto Tr31.NoFlippedBitPassesAndThePayloadIsNotBelieved)

# --- the provisioning session ---

nightdrop_unit_canary(record_number_stays_on_receipt src/provisioning/channel.cpp
  [==[  if (opened) ++received_;]==]
  [==[]==]
  test_unit_provisioning Records.OpenInTheirOrderAndDirectionAlone)

nightdrop_unit_canary(records_are_not_numbered src/provisioning/channel.cpp
  [==[static_cast<std::uint8_t>(number >> (56 - 8 * i));]==]
  [==[0;]==]
  test_unit_provisioning Harm.ARecordTwiceOrLeftOutOrInAnothersPlace)

nightdrop_unit_canary(stations_proof_not_checked src/provisioning/reader.cpp
  [==[    if (!proven) return]==]
  [==[    if (false && !proven) return]==]
  test_unit_provisioning Session.StationsThatAreNotBelieved)

nightdrop_unit_canary(stations_certificate_not_checked src/provisioning/reader.cpp
  [==[    if (!good)]==]
  [==[    if (false && !good)]==]
  test_unit_provisioning Session.StationsThatAreNotBelieved)

nightdrop_unit_canary(a_request_for_another_name keys/line/provision_unit.cpp
  [==[if (request->common_name != unit_.order.serial_number) {]==]
  [==[if (request->common_name.empty()) {]==]
  test_unit_station Provisioning.a_reader_that_proves_nothing_is_set_aside_and_gets_fresh_values_the_next_time)

# --- the reader's home ---

nightdrop_unit_canary(commit_without_its_mark src/provisioning/reader_home.cpp
  [==[replace_file(state_->staged(commit_mark), "");]==]
  [==[Result<void>();]==]
  test_unit_provisioning Home.KilledAtAnyStepIsInFactoryStateOrProvisionedWhole)

nightdrop_unit_canary(configuration_before_the_vault src/provisioning/reader_home.cpp
  [==[    if (name == config_file) {
      reach("commit vault");]==]
  [==[    if (name == config_file) {
      reach("commit early");
      ND_TRY(move(staged(name), home(name)));
      reach("commit vault");]==]
  test_unit_provisioning Home.KilledAtAnyStepIsInFactoryStateOrProvisionedWhole)

nightdrop_unit_canary(erased_while_payments_wait src/provisioning/reader_home.cpp
  [==[    if (auto allowed = settings.may_erase(*config); !allowed) return allowed;]==]
  [==[]==]
  test_unit_provisioning Home.ErasesByAnOrderForThisReaderAlone)

nightdrop_unit_canary(any_export_covers_the_queue src/terminal/sealed_export.cpp
  [==[state->exported == found.content]==]
  [==[true]==]
  test_unit_terminal Export.CoversWhatItHoldsAndNothingThatCameAfter)

# --- a reader that is opened ---

nightdrop_unit_canary(tamper_erases_before_the_export src/terminal/tamper.cpp
  [==[when_durable(Step::Journal, Step::Export);]==]
  [==[when_durable(Step::Journal, Step::Erase);]==]
  test_unit_terminal Tamper.IdentityAndQueueKeyWaitForTheExport)

nightdrop_unit_canary(tamper_writes_before_card_keys_go src/terminal/tamper.cpp
  [==[  card_keys_left_ = !books_.ports().vault.erase_card_keys().has_value();
  due_ms_]==]
  [==[  due_ms_]==]
  test_unit_terminal Tamper.CardKeysGoBeforeAnythingIsWritten)

# --- the acquirer, which takes payments from a file that anybody may have had ---

nightdrop_unit_canary(sealed_exports_signature_not_checked simulator/acquirer/sealed_file.cpp
  [==[  if (!good) return]==]
  [==[  if (false && !good) return]==]
  test_unit_sealed_file SealedExport.IsOfTheRegisteredReaderAloneHoweverWellItsDigestFits)

nightdrop_unit_canary(sealed_exports_digest_not_checked simulator/acquirer/sealed_file.cpp
  [==[  if (!last || (*last)["sha256"].string() != digest) return]==]
  [==[  if (!last) return]==]
  test_unit_sealed_file SealedExport.NoByteOfItMayChange)

# --- the station ---

nightdrop_unit_canary(attempt_uses_an_initial_key_again keys/line/station_attempts.cpp
  [==[    ND_LET(const auto id, next_initial_key_id(unit, bdk_id, "provisioning", now));]==]
  [==[    ND_LET(auto earlier, db_.query("SELECT ikid FROM initial_keys WHERE unit = ?"));
    earlier.bind(unit);
    ND_LET(const bool again, earlier.step());
    auto id = again ? std::optional(parse_initial_key_id(earlier.text(0)).value())
                    : next_initial_key_id(unit, bdk_id, "provisioning", now).value();]==]
  test_unit_station Station.every_attempt_has_values_of_its_own_also_after_a_restart)

nightdrop_unit_canary(attempt_burns_nothing keys/line/station_attempts.cpp
  [==[    ND_TRY(burn_earlier(unit, now));]==]
  [==[]==]
  test_unit_station Station.an_unseen_end_is_kept_until_it_is_settled)

nightdrop_unit_canary(station_believes_an_older_database keys/line/station.cpp
  [==[  if (*next >= mark_) return {};]==]
  [==[  if (*next >= 0) return {};]==]
  test_unit_station Provisioning.the_database_of_an_older_copy_gives_no_number_again)

nightdrop_unit_canary(sent_is_recorded_after_the_reader_has_it keys/line/provision_unit.cpp
  [==[    if (auto kept = ours(db().sent(attempt_.allocation, run_.clock())); !kept) return kept;
    at("sent");
    const auto installed = theirs(session_->install(*what));
    if (!installed) return std::unexpected(installed.error());]==]
  [==[    const auto installed = theirs(session_->install(*what));
    if (!installed) return std::unexpected(installed.error());
    if (auto kept = ours(db().sent(attempt_.allocation, run_.clock())); !kept) return kept;
    at("sent");]==]
  test_unit_station Provisioning.a_reader_that_proves_nothing_is_set_aside_and_gets_fresh_values_the_next_time)

nightdrop_unit_canary(proof_is_recorded_after_commit keys/line/provision_unit.cpp
  [==[    if (auto kept = ours(db().proven(attempt_.allocation, run_.clock())); !kept) return kept;
    at("proven");
    return {};
  }

  Outcome<void> commit() {
    if (auto done = theirs(session_->commit()); !done) return done;]==]
  [==[    at("proven");
    return {};
  }

  Outcome<void> commit() {
    if (auto done = theirs(session_->commit()); !done) return done;
    if (auto kept = ours(db().proven(attempt_.allocation, run_.clock())); !kept) return kept;]==]
  test_unit_station Provisioning.an_end_that_the_station_did_not_hear_of_is_settled_by_asking_again)

nightdrop_unit_canary(any_provisioned_reader_is_settled keys/line/provision_unit.cpp
  [==[const bool is_ours = *open_end && (*open_end)->certificate == hello.certificate_serial &&]==]
  [==[const bool is_ours = *open_end &&]==]
  test_unit_station Provisioning.a_reader_that_ended_with_what_it_was_not_given_is_not_settled)

nightdrop_unit_canary(erasure_leaves_no_mark_in_the_token src/crypto/vault_erasure.cpp
  [==[root.set_mark({marks.initial_key_id, dukpt::counter_max, marks.generation});]==]
  [==[Result<void>();]==]
  test_unit_vault Backends/VaultRollback.ErasedCardKeysThatArePutBackAreAnOlderVault/Token)

nightdrop_unit_canary(readers_mac_not_compared keys/line/provision_unit.cpp
  [==[if (!equal_in_constant_time(*mac, proof->mac)) {]==]
  [==[if (false) {]==]
  test_unit_station Provisioning.a_reader_that_proves_nothing_is_set_aside_and_gets_fresh_values_the_next_time)

nightdrop_unit_canary(station_commits_without_syncing keys/line/station_db.cpp
  [==[self->db_.open(self->file_, key, {});]==]
  [==[self->db_.open(self->file_, key, {.synchronous_normal = true});]==]
  test_powerloss_station StationPowerCut.WhatWasGivenOutIsKnownAfterACutAtAnyWrite)

# --- the merchant's overlay ---

nightdrop_unit_canary(overlay_raises_a_cap src/config/policy_compare.cpp
  [==[all.cap(path + ".per_card_total", before.per_card_total, after.per_card_total);]==]
  [==[all.cap(path + ".per_card_total", after.per_card_total, before.per_card_total);]==]
  test_unit_config OverlayProperties.WhatTheSignedPolicyRefusesStaysRefused)
