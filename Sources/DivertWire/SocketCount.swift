import Glibc

/// What the kernel's hooks count for each socket that writes packets, in memory that the socket's program may map.
///
/// A dropped frame is `ENOBUFS` to its sender, or no error at all; which of these counts has grown tells why. A socket
/// has a slot of ``slotSize`` bytes, one 64-bit integer in host byte order for each case.
package enum SocketCount: Int, CaseIterable, Sendable {
  case reinjectedIncoming
  case reinjectedOutgoing
  /// The frame's header or the packet's makes no sense.
  case badFrame
  /// The interface that it names does not exist or carries no hook, or it may not leave by it.
  case noInterface
  /// No route leads to the destination.
  case noRoute
  /// Larger than the route's MTU, and not to be fragmented.
  case tooBig
  /// A rule denied it in the outgoing pass.
  case denied
  /// Incoming with a wrong header checksum. divert(4): such packets "will be dropped", and nobody is told.
  case badChecksum
  /// Broadcast or multicast, and neither the packet's address nor a route tells by which interface to leave.
  case noMulticastInterface
  /// Written back too often: diverted once more it would circle, and was dropped.
  case looped

  package static let slotSize = 128

  /// The errno for the packet's writer, nil for what is no error to it.
  package var code: CInt? {
    switch self {
    case .reinjectedIncoming, .reinjectedOutgoing, .badChecksum, .looped: nil
    case .badFrame: EINVAL
    case .noInterface: EADDRNOTAVAIL
    case .noRoute: EHOSTUNREACH
    case .noMulticastInterface: ENETUNREACH
    case .tooBig: EMSGSIZE
    case .denied: EACCES
    }
  }
}
