//! The three calls of the kernel that std has no name for.

use std::io::{self, ErrorKind};

pub const IN: u32 = 1;
pub const OUT: u32 = 4;
const ADD: i32 = 1;
const MODIFY: i32 = 3;

#[derive(Clone, Copy)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
pub struct Event {
    pub events: u32,
    pub data: u64,
}

unsafe extern "C" {
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut Event) -> i32;
    fn epoll_wait(epoll: i32, events: *mut Event, max: i32, timeout: i32) -> i32;
}

pub struct Epoll(i32);

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        match unsafe { epoll_create1(0) } {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(Self(fd)),
        }
    }

    fn control(&self, operation: i32, fd: i32, events: u32, data: u64) -> io::Result<()> {
        let mut event = Event { events, data };
        // SAFETY: `event` lives for the call and the kernel keeps no pointer to it.
        match unsafe { epoll_ctl(self.0, operation, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub fn add(&self, fd: i32, events: u32, data: u64) -> io::Result<()> {
        self.control(ADD, fd, events, data)
    }

    pub fn modify(&self, fd: i32, events: u32, data: u64) -> io::Result<()> {
        self.control(MODIFY, fd, events, data)
    }

    pub fn wait(&self, events: &mut [Event], milliseconds: i32) -> io::Result<usize> {
        let max = i32::try_from(events.len()).unwrap_or(i32::MAX);
        // SAFETY: the kernel writes at most `max` events into the slice.
        match unsafe { epoll_wait(self.0, events.as_mut_ptr(), max, milliseconds) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
            count => Ok(usize::try_from(count).unwrap_or(0)),
        }
    }
}
