import Glibc

/// Who listens on which divert port: a number space of its own, not TCP's or UDP's.
package struct PortTable<Listener: Sendable>: Sendable {
  private var listeners: [UInt16: Listener] = [:]
  private var lastPicked: UInt16 = Self.picked.upperBound

  /// Ports that binding port 0 gives.
  package static var picked: ClosedRange<UInt16> { 49_152...65_534 }

  package init() {}

  package subscript(port: UInt16) -> Listener? { listeners[port] }

  package var isEmpty: Bool { listeners.isEmpty }

  /// The bound ports, in ascending order.
  package var ports: [UInt16] { listeners.keys.sorted() }

  /// The port that a bind gets: the one asked for, or a free one for 0.
  ///
  /// - Throws: `EADDRINUSE`.
  package mutating func choose(_ port: UInt16) throws(PortRefusal) -> UInt16 {
    if port != 0 {
      guard listeners[port] == nil else { throw PortRefusal(code: EADDRINUSE) }
      return port
    }
    for _ in Self.picked {
      lastPicked = lastPicked == Self.picked.upperBound ? Self.picked.lowerBound : lastPicked + 1
      if listeners[lastPicked] == nil { return lastPicked }
    }
    throw PortRefusal(code: EADDRINUSE)
  }

  /// - Precondition: `port` was chosen by ``choose(_:)`` and nobody has bound it since.
  package mutating func bind(_ port: UInt16, _ listener: Listener) {
    precondition(listeners.updateValue(listener, forKey: port) == nil, "port \(port) is bound")
  }

  /// Changes what is known of a port's listener, if it has one.
  package mutating func change(_ port: UInt16, _ body: (inout Listener) -> Void) {
    guard var listener = listeners[port] else { return }
    body(&listener)
    listeners[port] = listener
  }

  package mutating func unbind(_ port: UInt16) { listeners[port] = nil }
}

/// Why a port cannot be bound.
package struct PortRefusal: Error, Equatable {
  package let code: CInt

  package init(code: CInt) { self.code = code }
}
