-- name: tree
select size, level, index, hashes from sequencer.tree()
-- name: next_window
select sequencer.horizon() as horizon, w.xid, w.entry, w.recorded_at, w.leaf_hash
  from (select) as one left join sequencer.next_window($1, $2) as w on true
-- name: without_place
select sequencer.horizon() as horizon, w.xid, w.entry, w.recorded_at, w.leaf_hash
  from (select) as one left join sequencer.without_place($1, $2) as w on true
-- name: integrate
select sequencer.integrate($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
-- name: tiles
select level, index, hashes from sequencer.tiles($1, $2)
-- name: published
select size, root, note from sequencer.checkpoint()
-- name: publish
select sequencer.publish($1, $2, $3)
-- name: checkpoints
select size, root, note from sequencer.checkpoints($1, $2)
-- name: leaves
select seq, entry, leaf_hash, leaf, entry_hash from sequencer.leaves($1, $2)
