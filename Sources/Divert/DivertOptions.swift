import DivertWire

/// What a divert socket asks of its host, beside packets.
public struct DivertOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Fragments as they are. Without it diverted ones are reassembled first, and one that is diverted brings all the
  /// others (divert(4), FRAGMENTS; its BUGS ask for this option).
  public static let fragments = DivertOptions(rawValue: SocketOptions.fragments.rawValue)

  /// What the host has to know of.
  var socketOptions: SocketOptions { SocketOptions(rawValue: rawValue & SocketOptions.fragments.rawValue) }
}
