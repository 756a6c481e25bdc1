"""Tables, figures and notebook pictures, drawn from reports."""
