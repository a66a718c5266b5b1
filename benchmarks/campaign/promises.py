"""The promises R1 to R23 and the ordinary tests that show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """One promise.

    Attributes:
        row: ``R1`` to ``R23``.
        fault: what may happen.
        promise: what holds then.
        tests: ``file::function`` below ``tests/``, one at least.
    """

    row: str
    fault: str
    promise: str
    tests: tuple[str, ...]


PROMISES = (
    Promise("R1", "kill -9 at any instant",
            "the same command goes on: equal bytes, no finished video redone, no stray file",
            ("test_running.py::test_kill_9_and_run_again_gives_the_same_bytes",
             "test_seal.py::test_partials_of_dead_writers_go_and_those_of_the_living_stay",
             "test_campaign.py::test_a_kill_at_any_call_leaves_whole_files_or_none")),
    Promise("R2", "SIGTERM or SIGINT",
            "stops in under 5 s with a non-zero exit; finished videos are kept; a line says how to go on",
            ("test_running.py::test_a_polite_stop_is_quick_and_says_how_to_go_on",
             "test_cli_train.py::test_a_signal_saves_the_state_and_the_run_goes_on_from_it")),
    Promise("R3", "a worker killed for memory",
            "other videos finish; the lost one is tried once more, then reported; non-zero exit",
            ("test_running.py::test_a_crash_is_that_videos_failure_alone",)),
    Promise("R4", "a labeler crashes in native code", "as R3",
            ("test_running.py::test_a_crash_is_that_videos_failure_alone",)),
    Promise("R5", "disk full, or failing, at any byte",
            "the error names file and free space; no half-made file under a final name; no mask of zeros",
            ("test_disk_full.py::test_no_limit_leaves_half_a_store",
             "test_disk_full.py::test_a_really_full_disk",
             "test_campaign.py::test_a_failing_call_is_told_and_leaves_whole_files_or_none",
             "test_model_files.py::test_a_failed_write_leaves_the_old_file")),
    Promise("R6", "a byte flipped anywhere in a sealed file",
            "`verify` and every reader detect it; the next run rebuilds",
            ("test_seal.py::test_one_flipped_bit_anywhere_is_detected",
             "test_bad_input.py::test_verify_finds_a_flipped_byte",
             "test_freshness.py::test_a_damaged_store_is_made_again")),
    Promise("R7", "a sealed file cut short or grown", "as R6",
            ("test_seal.py::test_truncation_and_growth_are_detected",
             "test_model_files.py::test_a_cut_file_is_refused_at_any_length")),
    Promise("R8", "two writers of one video", "exactly one valid file; nobody corrupts",
            ("test_running.py::test_two_runs_at_once_leave_whole_stores",
             "test_seal.py::test_two_writers_of_one_store_leave_one_whole_file")),
    Promise("R9", "a reader while the file is replaced", "sees the old or the new, never a mix",
            ("test_reader_sharing.py::test_a_reader_never_mixes_an_old_file_with_a_new_one",
             "test_reader_sharing.py::test_a_worker_notices_that_the_file_was_replaced",
             "test_seal.py::test_a_reader_keeps_the_file_it_opened_while_it_is_replaced")),
    Promise("R10", "any number of jobs, any order", "equal bytes",
            ("test_running.py::test_the_number_of_jobs_and_the_order_change_no_byte",)),
    Promise("R11", "a stray `./config/PAWCS.xml`", "no effect",
            ("test_running.py::test_a_labeler_runs_in_an_empty_folder",)),
    Promise("R12", "frames cut, empty, missing, of another size or depth",
            "the video fails with the frame's number, or its mask is unknown where the recipe says so; "
            "never fed to the model silently",
            ("test_frames_decode.py::test_unusable_images_are_refused_with_name_and_reason",
             "test_frames_decode.py::test_no_proper_prefix_of_the_pixels_is_an_image",
             "test_frames_folder.py::test_unusable_frame_is_an_error_in_its_place",
             "test_frames_folder.py::test_missing_number_has_a_position_and_an_error",
             "test_frames_video.py::test_truncated_video_is_refused_wherever_it_ends",
             "test_bad_input.py::test_a_bad_frame_fails_its_video_alone",
             "test_bad_input.py::test_a_bad_frame_can_be_unknown_but_never_background",
             "test_training_run.py::test_a_frame_that_cannot_be_read_is_one_line")),
    Promise("R13", "annotations that are broken or hostile",
            "refused with file, line and field; or clipped and counted",
            ("test_bad_input.py::test_a_bad_annotation_file_fails_its_video_before_any_labeler_runs",
             "test_reader_ua_detrac.py::test_bad_files_are_listed_and_fail_alone_with_one_line",
             "test_reader_ua_detrac.py::test_encodings",
             "test_reader_ua_detrac.py::test_frames_beyond_the_images",
             "test_reader_mot.py::test_bad_rows",
             "test_reader_uavdt.py::test_bad_rows",
             "test_reader_coco.py::test_bad_annotations_fail_their_sequence_alone",
             "test_box_checks.py::test_impossible_geometry_is_refused_with_file_line_and_field",
             "test_box_checks.py::test_a_box_partly_off_the_image_is_cut_flagged_and_counted",
             "test_box_checks.py::test_a_track_id_twice_in_a_frame_is_refused")),
    Promise("R14", "clocks a day off, equal dates, restored backups", "content decides",
            ("test_hashing.py::test_a_change_behind_an_equal_mtime_and_size_is_seen",
             "test_hashing.py::test_a_touched_or_copied_file_with_equal_content_has_an_equal_digest",
             "test_freshness.py::test_a_changed_pixel_makes_evidence_stale_whatever_the_date",
             "test_freshness.py::test_a_touched_file_changes_nothing")),
    Promise("R15", "a mask threshold changed",
            "no labeler runs; going back gives the first bytes",
            ("test_freshness.py::test_a_mask_threshold_runs_no_labeler",
             "test_freshness.py::test_reverting_a_threshold_gives_the_first_bytes_back")),
    Promise("R16", "another version of the code or of a library",
            "the evidence is stale, and the message says which",
            ("test_freshness.py::test_other_code_or_libraries_make_evidence_stale",
             "test_freshness.py::test_other_mask_rules_make_masks_stale")),
    Promise("R17", "hostile sequence names", "nothing outside the output folder",
            ("test_names.py::test_hostile_names_stay_inside",
             "test_names.py::test_two_names_never_share_a_file",
             "test_bad_input.py::test_hostile_sequence_names_stay_inside_the_output_root")),
    Promise("R18", "killed while saving a checkpoint; a malicious pickle",
            "the previous checkpoint loads; refused unexecuted",
            ("test_training_run.py::test_a_kill_while_saving_costs_nothing",
             "test_training_run.py::test_a_damaged_state_is_refused",
             "test_checkpoint_import.py::test_a_malicious_pickle_is_refused_unexecuted",
             "test_model_files.py::test_a_pickle_is_refused")),
    Promise("R19", "training resumed at any step", "identical losses and weights on a CPU",
            ("test_training_run.py::test_a_stopped_run_goes_on_to_the_same_bytes",
             "test_training_run.py::test_steps_after_the_saved_state_are_forgotten")),
    Promise("R20", "loader processes started in any way", "equal batches",
            ("test_training_data.py::test_batches_do_not_depend_on_loader_processes",
             "test_training_run.py::test_loader_processes_do_not_change_the_run")),
    Promise("R21", "a video of 10,000 frames", "memory flat within 5 %",
            ("test_campaign.py::test_memory_does_not_grow_with_the_video",
             "test_frames_prefetch.py::test_never_more_than_depth_items_wait")),
    Promise("R22", "published accuracy", "PAWCS on CDnet highway within 0.005 of F 0.944",
            ("test_pawcs_parity.py::test_parity_mode_gives_the_masks_of_pybgs",)),
    Promise("R23", "boxes or frames edited at any instant of a run, for good or for a moment",
            "never fresh with another input's result: what was used is what was hashed, or the run fails "
            "by name",
            ("test_campaign.py::test_an_edit_at_any_moment_never_makes_a_false_fresh",
             "test_inputs.py::test_a_file_changed_and_put_back_is_noticed")),
)  # fmt: skip
