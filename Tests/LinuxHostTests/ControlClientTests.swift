import DivertWire
import Foundation
import Kernel
import Testing

@testable import divertd

/// When divertd hangs up on a program that takes too long.
@Suite struct ControlClientTests {
  private struct Pair: ~Copyable {
    let own: Descriptor
    let other: Descriptor
  }

  private func pair() throws -> Pair {
    var ends: [CInt] = [-1, -1]
    try #require(
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
    return Pair(own: Descriptor(owning: ends[0]), other: Descriptor(owning: ends[1]))
  }

  private func client(_ own: borrowing Descriptor, user: UInt32 = 1000, isPrivileged: Bool = false) throws
    -> ControlClient
  {
    ControlClient(
      try own.duplicate(), 1, ClientUser(number: user, isPrivileged: isPrivileged),
      isPrivileged ? .administrator : .user,
      Closer(wakeUp: try WakeUp()))
  }

  private func left(_ client: ControlClient) -> Duration? {
    client.deadline.map { ContinuousClock.now.duration(to: $0) }
  }

  @Test func `idle, with half a message, with a whole one, with a port`() throws {
    let pair = try pair()
    let client = try client(pair.own)
    #expect(try #require(left(client)) > .seconds(50), "idle")
    try UnixSocket.send([0, 0], on: pair.other)
    guard case .nothing = client.read() else { throw SystemError("read half a message", code: EPROTO) }
    let half = try #require(client.deadline)
    #expect(ContinuousClock.now.duration(to: half) <= .seconds(10))
    try UnixSocket.send([0], on: pair.other)
    _ = client.read()
    #expect(client.deadline == half, "one byte more is no more time")
    try UnixSocket.send([1, 7], on: pair.other)
    guard case .message(.statistics) = client.read() else { throw SystemError("read", code: EPROTO) }
    #expect(try #require(left(client)) > .seconds(50))
    client.waitsForAnswer = true
    #expect(client.deadline == nil && !client.isReadable)
    client.waitsForAnswer = false
    client.holdsPort = true
    #expect(client.deadline == nil && client.isReadable)
    // An answer that is not read is no use of the connection.
    while client.send(.result(status: 0, output: String(repeating: "x", count: 60_000), errors: "")),
      !client.waitsForRoom
    {}
    #expect(try #require(left(client)) <= .seconds(10) && !client.isReadable)
    client.hangUp(Closer(wakeUp: try WakeUp()))
  }

  @Test func `the superuser may take any time and send long messages, others may not`() throws {
    for isPrivileged in [true, false] {
      let pair = try pair()
      let client = try client(pair.own, isPrivileged: isPrivileged)
      // The head of an ipfw message of 100 000 bytes.
      try UnixSocket.send([0, 1, 0x86, 0xa0, 3], on: pair.other)
      switch client.read() {
      case .nothing: #expect(isPrivileged && client.deadline == nil)
      case .message(let message):
        #expect(!isPrivileged && message == .ipfw(words: []))
        #expect(!client.send(.done), "its end is the connection's end")
      case .end: Issue.record("no answer")
      }
      try UnixSocket.send([0], on: pair.other)
      client.hangUp(Closer(wakeUp: try WakeUp()))
    }
  }

  @Test(
    arguments: [
      (ClientUser(number: 0, isPrivileged: true), 1023, nil),
      (ClientUser(number: 1, isPrivileged: false), 63, nil),
      (ClientUser(number: 1, isPrivileged: false), 64, "close some of the 64 connections of user 1"),
      (ClientUser(number: 0, isPrivileged: false), 64, "close some of the 64 connections of user 0"),
      (ClientUser(number: 0, isPrivileged: true), 1024, "all 1024 connections are in use"),
    ] as [(ClientUser, Int, String?)])
  func `limits of a user`(_ row: (user: ClientUser, count: Int, advice: String?)) {
    let users = Array(repeating: row.user, count: row.count)
    #expect(ClientLimits.refusal(of: row.user, among: users)?.advice == row.advice)
  }
}
