extension FragmentQueue {
  package struct Limits: Sendable {
    package var fragmentsPerDatagram = 64
    package var datagrams = 1024
    /// Of one source address, in one domain.
    package var datagramsPerSource = 128
    package var bytes = 8 << 20
    /// In nanoseconds from the fragment that came first. 30 s as in FreeBSD.
    package var lifetimeIPv4: UInt64 = 30_000_000_000
    /// In nanoseconds from the fragment that came first (RFC 8200 §4.5).
    package var lifetimeIPv6: UInt64 = 60_000_000_000

    package init() {}
  }

  package struct Counters: Sendable, Equatable {
    /// Fragments that came, good or not.
    package var fragments: UInt64 = 0
    /// Datagrams that became whole.
    package var reassembled: UInt64 = 0
    /// Datagrams whose time was over.
    package var timedOut: UInt64 = 0
    /// Datagrams that had to make room.
    package var evicted: UInt64 = 0
    /// Datagrams that the owner gave up.
    package var givenUp: UInt64 = 0
    /// Datagrams given up for their number of fragments.
    package var tooMany: UInt64 = 0
    /// Fragments that others overlapped in part: trimmed over IPv4, over IPv6 the end of their datagram.
    package var overlapping: UInt64 = 0
    /// Fragments refused, as they held nothing new.
    package var duplicate: UInt64 = 0
    /// Fragments refused, or that ended their datagram, since the whole would be longer than 65535 bytes.
    package var oversize: UInt64 = 0
    /// Fragments refused: an unreadable header, no data, one before the last that is no multiple of 8 bytes
    /// long, a second end elsewhere or data behind the end.
    package var invalid: UInt64 = 0
    /// Fragments refused: marked by ECN as no others of the datagram may be (RFC 3168 §5.3).
    package var mixedCongestion: UInt64 = 0

    package init() {}
  }
}
