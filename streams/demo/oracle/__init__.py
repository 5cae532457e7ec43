"""The oracle: it sees every edit with its cause, and says what both systems must hold at rest.

It is a witness of the systems and knows nothing of the processor: no message, state, revision or activity reaches it. What a
connector has to infer, it simply sees: for each record and field, the edit that its value descends from and the set of edits
that stood in the record before it (`seen`). Two edits are in sight of one another when one is in the other's set.

* `facts`: what is known of a person; `cells`: where the value of each field comes from; `due`: which records are due.
* `follow`: the witness, and how each event changes all that.
* `sight`: which edits of a field may stand at rest. The rule: a person's edit that no other edit has seen; of two such, one
  in each system, the authority of the record type; a weak edit (a rewriting, a default) only where no person's edit is.
* `rest`: what each system must hold, and which differences an expected error allows.
* `verdict`: the comparison, person by person and field by field.

Where true sight does not decide, the oracle accepts the set of right answers, and only there:

1. A record was deleted or merged away while a field was in motion: whether the other system's pending edit, or its own,
   was read in time is the schedule's business. Every edit that was in motion may stand, or not (`loose`).
2. A collision with an edit that was made on a lead which then became a contact: when Marketo's edit had landed on the lead by
   then, the pair may have been settled and at rest under the lead's rule, or still open and settled under the contact's.
3. A weak value in Dynamics that a person's save covered before anybody read the row (the row then names the person as its
   writer): it may count as entered by that person, as an edit that makes a deleted Marketo person again too.
   Likewise what a person enters in a lead that we made, before any row of it was read, may count as filled in by the system:
   it stands against what it saw, but against an unseen edit it may lose whatever the record type (`meek`); and a field
   that a person empties in a contact, before any row of it was read, may count as one that qualifying did not carry over.
   And of a bootstrapped pair that held the same, an edit made before both records were read may stand or fall with that value.
4. Whether a Sync Person that was asked for while a Dynamics record lived, which was then deleted, was folded before the
   deletion (skipped) or after it (a new lead); whether an edit in Dynamics that lost its collision makes a deleted Marketo
   person again (it does where it is folded after the deletion, before its rival's landing, and where the command that carried it
   was still in flight).
   Likewise whether a Sync Person heeds itself or joins an earlier one with an owner that doesn't exist, and fails with it.
   And whether *Microsoft is Deleted* is set, where Marketo had not been told of the record yet when it was deleted.
   And an edit in Marketo that lost to a contact's, where a new lead is made after that contact: it may have been read only then,
   and collides under the lead's rule ("the type when it is settled").
5. A person whom the filter keeps out: each system may hold any value that somebody entered.

Not decided and therefore avoided by the simulated users: one value entered twice in one field of a person (edits that meet in
one value), a value cleared before the record was linked in a field for which the other system has a default, and one cleared
while a bootstrapped pair has not been read (of two records that become one person, a value beats an empty field).
"""
