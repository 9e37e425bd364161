import Divert
import DivertWire
import Foundation
import Kernel
import Namespaces
import TestSupport
import Testing

/// What the holder of a divert socket can do with it, and what not.
@Suite(.serialized) struct InheritedSocketTests {
  private let host: LinuxScenario

  init() throws {
    host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to 192.0.2.2 in icmptypes 8")
  }

  /// Each of the interfaces sees packets meanwhile.
  @Test(arguments: ["em0", "lo", "divert0", "divert2001", "every"])
  func `a bound socket receives nothing of other interfaces`(_ interface: String) throws {
    let other = try host.program(on: 2001) { _ in [] }
    try host.ipfw("add 50 tee 2001 icmp from any to any")
    var control = try ControlConnection(path: host.daemon.socket)
    guard case .opened = try control.ask(.open), let socket = control.takeDescriptor(),
      case .bound = try control.ask(.bind(port: 2000), descriptor: socket.number)
    else {
      Issue.record("no socket")
      return
    }
    let number = socket.number
    let rebound = try host.b.entered { () throws -> Bool in
      let index = interface == "every" ? 0 : if_nametoindex(interface)
      try PacketSocket.bind(socket, to: index)
      var on: CInt = 0
      let detached = setsockopt(number, SOL_SOCKET, SO_DETACH_FILTER, &on, 4) == 0
      let unlocked = setsockopt(number, SOL_SOCKET, 44, &on, 4) == 0
      return !detached && !unlocked
    }
    #expect(rebound, "the filter cannot be taken off")
    #expect(try host.ping("192.0.2.2", count: 2) == 0)
    try host.b.run("ping", "-c", "1", "-W", "5", "198.51.100.2")
    while try other.step() > 0 {}
    #expect(!other.seen.isEmpty)
    var frame = [UInt8](repeating: 0, count: 2000)
    var foreign = 0
    while PacketSocket.receive(socket, into: &frame) != nil { foreign += 1 }
    // On every interface is its own link, too.
    #expect(foreign == (interface == "every" ? 2 : 0))
  }

  @Test func `a released socket has no second port`() throws {
    var control = try ControlConnection(path: host.daemon.socket)
    guard case .opened = try control.ask(.open), let socket = control.takeDescriptor() else {
      Issue.record("no socket")
      return
    }
    _ = try control.ask(.bind(port: 2000), descriptor: socket.number)
    #expect(try control.ask(.release, descriptor: socket.number) == .done)
    let error = try #require(throws: SystemError.self) {
      try control.ask(.bind(port: 2001), descriptor: socket.number)
    }
    #expect(error.code == EINVAL && error.advice == "the socket has been bound before; open another one")
    try host.open(port: 2000).close()
  }

  /// Devices take long to go: the ports are free before, and the next that binds one gets its link again.
  @Test func `many ports of a program that has ended are free at once`() throws {
    let ports = 3000..<3060
    let program = """
      import os, sys
      sys.stdout.write("ready\\n")
      """
    _ = program
    do {
      let sockets = try ports.map { SharedSocket(try host.open(port: UInt16($0))) }
      withExtendedLifetime(sockets) {}
    }
    for port in ports { try host.open(port: UInt16(port)).close() }
    #expect(try host.statistics().bound.count <= 1)
    var tries = 0
    while try host.b.run("ip", "-o", "link").output.contains("divert30"), tries < 500 { tries += 1 }
    #expect(tries < 500, "and the devices go")
  }

  private final class SharedSocket {
    let socket: DivertSocket
    init(_ socket: consuming DivertSocket) { self.socket = socket }
  }
}
