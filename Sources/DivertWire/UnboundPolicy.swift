/// What happens to a packet that a `divert` rule takes while nobody has bound the port.
public enum UnboundPolicy: UInt8, Sendable, CaseIterable {
  /// divert(4): "If no socket is bound to the destination port, the packet is dropped."
  case drop
  /// The packet counts for the rule and goes on with the very next one, as after `tee`.
  case pass
}
