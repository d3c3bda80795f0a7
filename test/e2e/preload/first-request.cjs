/** Calls `callback` when this process opens its first connection, before anything is sent. */
const { Socket } = require("node:net");

exports.onFirstRequest = (callback) => {
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (...args) {
    Socket.prototype.connect = connect;
    callback();
    return connect.apply(this, args);
  };
};
