//! Brokers that die, meet, are late or were restored: whatever happens to them, ends happen, and both sides tell the same
//! story. One executable, so that what one test waits for passes while another one works.

mod children;
mod connections;
mod crash_steps;
mod halfway;
mod intents;
mod keys;
mod overlapping;
mod owners;
mod remembered;
mod restore;
mod scene;
mod several;
mod speakers;
mod upgrade;
